"""Documents that are built to harm their reader, in both syntaxes: refused, quickly, with a field."""

import re

import pytest

from libs.common.errors import RelanceError
from services.invoice_ingest.errors import DocumentHostile, DocumentUnreadable
from services.invoice_ingest.sources import facturx, reader, xml
from tests.unit.invoice_ingest.documents import CII, UBL, pdf_with

LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
DOCTYPES = {
    "an internal subset": "<!DOCTYPE x [<!ELEMENT x ANY>]>",
    "a billion laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>',
    "an external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    "an external subset": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    "a parameter entity": '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p">%p;]>',
    "a doctype in small print": "<!--" + "x" * 70_000 + '--><!DOCTYPE x [<!ENTITY e "a">]>',
}
SYNTAXES = {"ubl": UBL, "cii": CII}


def _broken(text: str) -> dict[str, bytes]:
    """Bent copies of one document."""
    inside = text.rindex("</")
    amount = "1200.00</"
    many = [f'a{n}="1"' for n in range(5_000)]
    spaces = [f'<n{n}:a xmlns:n{n}="u:{n}"/>' for n in range(500)]
    return {
        "depth": (text[:inside] + "<a>" * 5_000 + "</a>" * 5_000 + text[inside:]).encode(),
        "attributes": f"{text[:inside]}<a {' '.join(many)}/>{text[inside:]}".encode(),
        "elements": (text[:inside] + "<a/>" * 250_000 + text[inside:]).encode(),
        "namespaces": (text[:inside] + "".join(spaces) + text[inside:]).encode(),
        "size": text.encode() + b" " * (xml.MAX_BYTES + 1),
        "truncated": text.encode()[: len(text) // 2],
        "zero byte": text.encode().replace(b"F-2026-1", b"F-\x002026"),
        "unknown entity": text.replace("Dupont SARL", "&unknown;").encode(),
        "scientific amount": text.replace(amount, "1.2e3</").encode(),
        "not a number": text.replace(amount, "NaN</").encode(),
        "foreign digits": text.replace(amount, "١٢٠٠</").encode(),
        "decimals beyond the currency": text.replace(amount, "1200.001</").encode(),
        "no such day": text.replace("2026-09-01", "2026-02-30").replace("20260901", "20260230").encode(),
        "unknown currency": text.replace("EUR", "XXX").encode(),
        "another root": re.sub(r"(</?)(rsm:CrossIndustry)?Invoice(?=[ >])", r"\1\2Other", text).encode(),
    }


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("case", DOCTYPES)
def test_a_document_type_declaration_is_refused(syntax: str, case: str) -> None:
    head, rest = SYNTAXES[syntax].split("\n", 1)
    with pytest.raises(DocumentHostile):
        reader.read((head + DOCTYPES[case] + rest).encode())


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_doctype_in_another_encoding_is_refused_too(syntax: str) -> None:
    head, rest = SYNTAXES[syntax].replace("UTF-8", "UTF-16").split("\n", 1)
    with pytest.raises(DocumentHostile):
        reader.read((head + DOCTYPES["an external entity"] + rest).encode("utf-16"))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("case", list(_broken(UBL)))
def test_a_bent_document_is_refused_with_its_field(syntax: str, case: str) -> None:
    with pytest.raises(RelanceError) as refused:
        reader.read(_broken(SYNTAXES[syntax])[case])
    assert refused.value.field
    assert refused.value.status == 422


@pytest.mark.parametrize("case", ["depth", "attributes", "elements", "namespaces", "size"])
def test_what_is_too_much_is_called_hostile(case: str) -> None:
    with pytest.raises(DocumentHostile):
        reader.read(_broken(CII)[case])


def test_the_small_documents_are_read_and_say_the_same() -> None:
    assert reader.read(UBL.encode()) == reader.read(CII.encode())
    assert reader.read(pdf_with(CII.encode())) == reader.read(CII.encode())
    assert reader.read(UBL.replace("UTF-8", "UTF-16").encode("utf-16")) == reader.read(UBL.encode())


def test_a_pdf_without_an_invoice_inside_is_refused() -> None:
    with pytest.raises(DocumentUnreadable):
        reader.read(pdf_with(b"hello", "notes.txt"))


def test_an_attachment_that_unpacks_beyond_the_cap_is_refused() -> None:
    with pytest.raises(DocumentHostile):
        facturx.invoice_xml(pdf_with(b"<a>" + b" " * (xml.MAX_BYTES + 10) + b"</a>"))


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7 and nothing more", b"\x00" * 100, b"PK\x03\x04"])
def test_what_is_no_document_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentUnreadable):
        reader.read(data)
