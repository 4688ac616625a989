"""Every file of other people's that we have is read and proved, or refused with its reason; none is a crash."""

from pathlib import Path

import pytest

from services.payment_matching.errors import UnknownFormat, UnreadableStatement
from services.payment_matching.statements import formats

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "statements"
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())

# The files that are whole; of the rest, most are fragments, or have balances that somebody made up.
READ = {
    "ASNB/mt940.txt",
    "ASNB/mt940_with_spaces_for_entry_date.txt",
    "betterplace/sepa_mt9401.sta",
    "betterplace/with_binary_character.sta",
    "citi/mt940.txt",
    "jejik/generic.sta",
    "jejik/rabobank-iban.sta",
    "jejik/sns.sta",
    "mBank/mt940.sta",
    "mBank/mt942.sta",
    "sberbank/171011_01234945.sta",
    "self-provided/february_30.sta",
    "self-provided/long_statement_number.sta",
    "self-provided/transaction_details_wrapped.sta",
    "self-provided/wrapped_timestamp.sta",
    "files/example.txt",
}
REFUSED = {
    "betterplace/sepa_snippet.sta": "is not closing",
    "cmxl/mt940.sta": "'DEM' is not a currency",
    "jejik/abnamro.sta": "is not closing",
    "jejik/ing.sta": "is not closing",
    "jejik/knab.sta": "is not closing",
    "jejik/postfinance.sta": "is not closing",
    "jejik/rabobank.sta": "is not closing",
    "jejik/triodos.sta": "is not closing",
    "self-provided/gv_codes.sta": "no closing balance",
    "self-provided/multiline.sta": "a :61: line after its end",
    "self-provided/mt942.sta": ":90D: tells of 1 entries of 2,30",
    "self-provided/sparkassen.sta": "a :61: line before the first :20:",
    "files/end_of_statement_without_beginning.txt": "is not closing",
    "files/invalid_date.txt": "line 1: '  CART' is not a date",
    "files/new_statement_without_previous_ended.txt": "line 6: a statement begins",
    "files/operation.txt": "line 1: an operation outside a statement",
    "files/operation_detail_without_operation.txt": "line 3: it tells more about an operation that is not there",
    "files/operation_unstarted.txt": "line 1: more about an operation outside a statement",
    "betterplace/LICENSE": "no camt, MT940",
}


def short(path: Path) -> str:
    return "/".join(path.parts[-2:])


@pytest.mark.skipif(not FILES, reason="the corpus of other people's files is not here")
@pytest.mark.parametrize("path", FILES, ids=short)
def test_every_file_is_read_and_proved_or_refused_with_its_reason(path: Path) -> None:
    try:
        found = formats.read(path.read_bytes())
    except (UnreadableStatement, UnknownFormat) as refused:
        assert short(path) not in READ
        assert REFUSED.get(short(path), "") in refused.detail
        assert refused.remedy_text
        return
    assert short(path) not in REFUSED
    entries = sum(len(told.entries) for told in found.statements)
    for told in found.statements:
        assert told.account
        if told.opening and told.closing:
            assert told.opening.amount + told.booked == told.closing.amount
    if path.suffix != ".xml":
        lines = path.read_bytes().replace(b"\r", b"\n").split(b"\n")
        assert entries == sum(line.startswith(b":61:" if found.kind.startswith("mt") else b"04") for line in lines)
