"""Reading camt: right to the cent, or refused with the reason."""

from pathlib import Path

import pytest

from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements import camt
from tests.unit.payment_matching.camt_files import camt053, camt054, detail, entry, statement

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "statements"
OURS = "FR7630006000011234567890189"
FILES = sorted([*(CORPUS / "genkgo-camt").glob("*.xml"), *(CORPUS / "camt-to-coda").rglob("*.xml")])

# What these files of others say wrong, or leave out; everything else is read.
REFUSED = {
    "camt053.v2.all-balance-types.xml": "is not closing",
    "camt053.v2.five.decimals.xml": "is not closing",
    "camt053.v2.minimal.ultimate.xml": "are in EUR, SEK",
    "camt053.v2.minimal.xml": "are in EUR, SEK",
    "camt053.v2.with-account-name.xml": "no opening balance",
    "camt053.v2.with-party-ids.xml": "are in EUR, SEK",
    "camt053.v2.wrong.xml": "holds no statement",
    "camt053.v3.xml": "the details sum to",
    "camt053.v4.xml": "are in EUR, SEK",
    "camt053.v8.xml": "are in EUR, SEK",
    "camt53.only-Dt-with-DtTm.xml": "no closing balance",
}


@pytest.mark.skipif(not FILES, reason="the corpus of other people's files is not here")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_of_the_corpus_is_read_right_or_refused_with_its_reason(path: Path) -> None:
    if path.name in REFUSED:
        with pytest.raises(UnreadableStatement, match=REFUSED[path.name]):
            camt.read(path.read_bytes())
        return
    for told in camt.read(path.read_bytes()).statements:
        assert told.account
        if told.opening and told.closing:
            assert told.opening.amount + told.booked == told.closing.amount


def only(body: bytes):  # type: ignore[no-untyped-def]
    return camt.read(body).statements[0].entries[0]


def test_signed_details_sum_to_a_net_entry() -> None:
    body = camt054(OURS, [entry(700, detail(1000), detail(-300))])
    assert [movement.amount for movement in only(body).movements] == [1000, -300]


def test_details_that_do_not_sum_to_the_entry_are_refused() -> None:
    with pytest.raises(UnreadableStatement, match="entry 1: the details sum to 900"):
        camt.read(camt054(OURS, [entry(1000, detail(900))]))


def test_charges_between_entry_and_details_explain_the_difference() -> None:
    charges = '<Chrgs><TtlChrgsAndTaxAmt Ccy="EUR">26.00</TtlChrgsAndTaxAmt></Chrgs>'
    gross = only(camt054(OURS, [entry(-152600, detail(-150000), extra=charges)]))
    assert (gross.movements[0].amount, gross.charges) == (-150000, 2600)
    net = only(camt054(OURS, [entry(147400, detail(150000), extra=charges)]))
    assert (net.movements[0].amount, net.charges) == (150000, 2600)


def test_a_statement_whose_balances_do_not_add_up_is_refused() -> None:
    body = camt053(statement(OURS, [entry(1000)], opening=0, closing=1001))
    with pytest.raises(UnreadableStatement, match="opening 0 \\+ booked 1000 is not closing 1001"):
        camt.read(body)


def test_a_pending_entry_moves_no_balance() -> None:
    body = camt053(statement(OURS, [entry(1000), entry(500, status="PDNG")], opening=0, closing=1000))
    statuses = [one.status for one in camt.read(body).statements[0].entries]
    assert statuses == ["booked", "pending"]


def test_a_file_may_tell_of_several_accounts() -> None:
    other = "FR7630006000019999999999999"
    body = camt053(
        statement(OURS, [entry(1000)], opening=0, closing=1000),
        statement(other, [entry(-200)], opening=500, closing=300, reference="S2"),
    )
    assert [(told.account, told.booked) for told in camt.read(body).statements] == [(OURS, 1000), (other, -200)]


def test_a_returned_debit_carries_its_code_and_the_debtor() -> None:
    body = camt054(OURS, [entry(-1000, detail(-1000, code="MD06", name="SARL Dupont", end_to_end="E1"))])
    movement = only(body).movements[0]
    assert (movement.returned, movement.return_code, movement.party_name) == (True, "MD06", "SARL Dupont")
    assert movement.end_to_end_id == "E1"


def test_structured_and_free_references_are_told_apart() -> None:
    body = camt054(OURS, [entry(1000, detail(1000, reference="RF18539007547034", remittance="FA-1"))])
    movement = only(body).movements[0]
    assert movement.structured_references == ("RF18539007547034",)
    assert movement.remittance == "FA-1"


def test_not_provided_is_no_reference() -> None:
    assert only(camt054(OURS, [entry(1000, detail(1000))])).movements[0].end_to_end_id is None


HOSTILE = {
    "doctype": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><Document>&b;</Document>',
    "attributes": b"<Document " + b" ".join(b'a%d="1"' % n for n in range(200_000)) + b"/>",
    "utf-16": camt054(OURS, []).decode().encode("utf-16"),
    "utf-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-!DOCTYPE a+AD4-<Document/>',
    "truncated": camt053(statement(OURS, [entry(1)], opening=0, closing=1))[:-40],
    "not xml": b"01;02;03",
    "empty": b"  ",
    "another message": b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"><A/></Document>',
    "a page": b"<html><body>Service unavailable</body></html>",
    "too large": b"<Document>" + b" " * 50_000_001 + b"</Document>",
    "too many elements": b"<Document>" + b"<a/>" * 6_000_001 + b"</Document>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_and_broken_files_are_refused(name: str) -> None:
    with pytest.raises(UnreadableStatement):
        camt.read(HOSTILE[name])


def test_deep_nesting_is_refused() -> None:
    deep = "<a>" * 60 + "x" + "</a>" * 60
    with pytest.raises(UnreadableStatement, match="nested more deeply"):
        camt.read(camt054(OURS, [entry(1000, extra=deep)]))


@pytest.mark.parametrize("wrong", ["12,50", "1e5", "-3", "", "٣.00", "1.234", "9999999999999999"])
def test_an_amount_that_is_no_plain_decimal_is_refused(wrong: str) -> None:
    body = camt054(OURS, [entry(1000)]).replace(b"10.00", wrong.encode())
    with pytest.raises(UnreadableStatement):
        camt.read(body)


def test_trailing_zeros_beyond_the_decimals_are_read() -> None:
    assert only(camt054(OURS, [entry(1000)]).replace(b"10.00", b"10.00000")).amount == 1000


def test_latin_1_is_read() -> None:
    body = camt054(OURS, [entry(1000, detail(1000, name="Société Générale"))]).decode()
    latin = body.replace("UTF-8", "ISO-8859-1").encode("latin-1")
    assert only(latin).movements[0].party_name == "Société Générale"
