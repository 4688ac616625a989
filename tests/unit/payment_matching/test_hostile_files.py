"""Whatever is done to a bank file, it is read and proved or refused by name; it never breaks its reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.payment_matching.errors import UnknownFormat, UnreadableStatement
from services.payment_matching.statements import formats
from services.payment_matching.statements.layout import Known
from tests.unit.payment_matching import flat_files
from tests.unit.payment_matching.camt_files import camt053, detail, entry, statement
from tests.unit.payment_matching.test_tables import FRENCH, NUMBERED, mapping

OURS = "FR7630006000011234567890189"
FILES = {
    "camt": camt053(statement(OURS, [entry(1000, detail(1000))], opening=0, closing=1000)),
    "mt940": flat_files.MT940.encode(),
    "mt942": flat_files.MT942.encode(),
    "cfonb": flat_files.cfonb(*flat_files.whole(0, [flat_files.operation(500, "A"), flat_files.more("LIB", "B")], 500)),
    "coda": flat_files.coda(),
    "ofx": flat_files.ofx(flat_files.ofx_entry("1,5")),
    "bai2": flat_files.bai2(),
    "csv": FRENCH.encode(),
}
LAYOUTS: list[Known] = [mapping(), mapping("FR7610000000000000000000000", **NUMBERED)]
PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"\n", b"\x00", b":61:", b":20:", b"?", b"9" * 40, b",", b"<", b"</", b"/", b"21", "é".encode()]),
)


@settings(max_examples=250)
@given(
    body=st.sampled_from(sorted(FILES.values())),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), PIECES), min_size=1, max_size=4),
)
def test_a_damaged_file_is_read_or_refused(body: bytes, changes: list[tuple[float, int, bytes]]) -> None:
    for share, cut, piece in changes:
        place = int(share * len(body))
        body = body[:place] + piece + body[place + cut :]
    try:
        found = formats.read(body, LAYOUTS)
    except (UnreadableStatement, UnknownFormat) as refused:
        assert refused.detail
        return
    for told in found.statements:
        assert told.account
        if told.opening and told.closing:
            assert told.opening.amount + told.booked == told.closing.amount


@pytest.mark.parametrize("name", FILES)
def test_every_cut_of_a_file_is_read_or_refused(name: str) -> None:
    body = FILES[name]
    for end in range(0, len(body), 11):
        try:
            formats.read(body[:end], LAYOUTS)
        except (UnreadableStatement, UnknownFormat):
            continue


BIG = {
    "one line": b":20:S\n:25:X\n:60F:C261119EUR0,\n:61:" + b"2611201120C1," * 30_000,
    "an endless text": b":20:S\n:25:X\n:60F:C261119EUR0,\n:61:2611201120C1,NMSC\n:86:" + b"?20A" * 100_000,
    "many statements": b":20:S\n:25:X\n" * 30_000,
    "operations without an end": "\n".join(
        [flat_files.balance("01", 0, "191126"), *[flat_files.operation(1, "A")] * 3_000]
    ).encode(),
    "many tags": b"OFXHEADER:100\n<OFX><STMTRS>" + b"<STMTTRN>" * 40_000,
    "many accounts": b"01,A,B,261120,2340,1,,,2/\n02,B,A,1,261120,2340,EUR,2/\n"
    + b"03,1,EUR,010,1,,/\n49,1,2/\n" * 9_000,
    "many columns": b";" * 400_000,
    "many lines": b"a;b\n" * 100_000,
}


@pytest.mark.parametrize("name", BIG)
def test_a_file_that_is_made_to_hurt_is_refused(name: str) -> None:
    with pytest.raises((UnreadableStatement, UnknownFormat)):
        formats.read(BIG[name], LAYOUTS)
