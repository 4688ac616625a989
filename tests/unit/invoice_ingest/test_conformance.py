"""Files that other people wrote: read, or refused with a reason; the twins of a case say the same."""

from pathlib import Path

import pytest

from libs.common.errors import RelanceError
from services.invoice_ingest.assess import assess
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.sources.reader import read

CORPUS = Path(__file__).parents[3].parent / "shared" / "corpus" / "invoices"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of other people's invoices is not here")

FILES = sorted(file for file in CORPUS.rglob("*") if file.suffix in (".xml", ".pdf"))
TWINS = [
    (ubl, cii)
    for ubl in sorted(CORPUS.rglob("*_ubl.xml"))
    if (cii := ubl.with_name(ubl.name.replace("_ubl.xml", "_uncefact.xml"))).exists()
]
REFUSED = {
    "MustangGnuaccountingBeispielRE-20140522_501.pdf": "document",
    "fail1.pdf": "currency",
    "fail3.pdf": "kind",
}
"""A draft of CII from 2012, one without a currency, one without a document type."""
TWINS_THAT_DIFFER = {
    "01.21a-INVOICE_ubl.xml": {"seller"},
    "01.02_comprehensive_test_ubl.xml": {"debtor"},
    "01.03_comprehensive_test_ubl.xml": {"debtor"},
    "01.04_comprehensive_test_ubl.xml": {"debtor"},
}
"""The authors' own slips: another VAT number, and names that changed places."""


def _name(file: Path) -> str:
    return file.name


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_every_file_is_read_or_refused_with_a_field_and_a_reason(file: Path) -> None:
    try:
        invoice = read(file.read_bytes())
        assess(invoice)
    except RelanceError as refused:
        assert refused.field
        assert refused.detail
        assert refused.remedy_text


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_only_the_known_few_cannot_be_read(file: Path) -> None:
    if file.name not in REFUSED:
        assert read(file.read_bytes()).number
        return
    with pytest.raises(RelanceError) as refused:
        read(file.read_bytes())
    assert refused.value.field == REFUSED[file.name]


def _told(invoice: CanonicalInvoice) -> dict[str, object]:
    return invoice.model_dump()


@pytest.mark.parametrize(("ubl", "cii"), TWINS, ids=lambda file: file.name)
def test_the_ubl_and_the_cii_twin_give_the_same_invoice(ubl: Path, cii: Path) -> None:
    first, second = _told(read(ubl.read_bytes())), _told(read(cii.read_bytes()))
    differing = {field for field, value in first.items() if value != second[field]}
    assert differing == TWINS_THAT_DIFFER.get(ubl.name, set())


def test_there_are_twins_to_compare() -> None:
    assert len(TWINS) > 30


def _case(name: str) -> CanonicalInvoice:
    return read(next(CORPUS.rglob(name)).read_bytes())


def test_a_negative_payable_is_a_credit() -> None:
    facts = assess(_case("EN16931_Einfach_negativePaymentDue.cii.xml"))
    assert facts.credit
    assert facts.due == ()


def test_a_ubl_credit_note_reduces_what_is_owed() -> None:
    note = _case("ubl-tc434-creditnote1.xml")
    assert note.kind == "credit_note"
    assert str(assess(note).owed) == "-100.11 EUR"


def test_what_was_prepaid_is_not_asked_for_again() -> None:
    facts = assess(_case("Facture_FR_EN16931.pdf"))
    assert [(day.isoformat(), str(amount)) for day, amount in facts.due] == [("2017-12-13", "470.15 EUR")]


def test_the_date_of_a_discount_is_not_taken_for_the_due_date() -> None:
    invoice = _case("zugferd_2p0_EXTENDED_Fremdwaehrung.pdf")
    assert invoice.due_date is not None or invoice.discount is not None or invoice.terms_note


def test_a_machine_readable_discount_is_read_from_the_note() -> None:
    invoice = _case("01.10a-INVOICE_ubl.xml")
    assert invoice.discount is not None
    assert invoice.discount.percent == "2.00"
    assert (invoice.discount.until - invoice.issue_date).days == 7


def test_a_payee_who_is_not_the_seller_is_not_chased_for() -> None:
    assert _case("EN16931_AbweichenderZahlungsempf.cii.xml").not_chased == ["factored"]
