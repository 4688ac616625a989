"""The child process that reads documents: the same answers at arm's length, and a new child after a bad one."""

from collections.abc import AsyncIterator

import pytest

from services.invoice_ingest.errors import DocumentHostile, DocumentUnreadable
from services.invoice_ingest.sources import reader, tabular
from services.invoice_ingest.sources.safely import SECONDS, SafeReader, SafeTables
from services.invoice_ingest.sources.tabular import TableMapping
from tests.unit.invoice_ingest.documents import CII, UBL, pdf_with


@pytest.fixture
async def far() -> AsyncIterator[SafeReader]:
    made = SafeReader()
    yield made
    await made.close()


async def test_the_child_reads_what_we_would_read(far: SafeReader) -> None:
    assert await far.read(UBL.encode()) == reader.read(UBL.encode())
    assert await far.read(pdf_with(CII.encode())) == reader.read(CII.encode())


async def test_a_refusal_keeps_its_code_and_field(far: SafeReader) -> None:
    with pytest.raises(DocumentUnreadable) as refused:
        await far.read(UBL.replace("2026-09-01", "2026-02-30").encode())
    problem = refused.value.problem()
    assert (problem["code"], problem["field"], problem["status"]) == ("document_unreadable", "issue_date", 422)


async def test_a_document_that_takes_too_long_costs_its_child_and_nothing_else(far: SafeReader) -> None:
    await far.read(UBL.encode())
    first = far._child
    far.seconds = 0.0
    with pytest.raises(DocumentHostile):
        await far.read(CII.encode())
    far.seconds = SECONDS
    assert (await far.read(UBL.encode())).number == "F-2026-1"
    assert first is not None
    assert far._child is not first


CSV = b"number;date;gross;customer\nF-1;2026-09-01;12,50;C1\nF-2;2026-09-31;1;C1\n"


async def test_a_table_is_read_far_away_as_it_would_be_here() -> None:
    far = SafeTables()
    (first, good), (second, bad) = await far.rows(CSV, TableMapping())
    here = list(tabular.rows(CSV, TableMapping()))
    assert (first, good) == here[0]
    assert second == 3
    assert isinstance(bad, DocumentUnreadable)
    assert (bad.problem()["code"], bad.problem()["field"]) == ("contract_broken", "issue_date")
    assert await far.look(CSV, TableMapping()) == tabular.look(CSV, TableMapping())


async def test_a_table_that_is_refused_as_a_whole_keeps_its_reason() -> None:
    with pytest.raises(DocumentUnreadable) as refused:
        await SafeTables().rows(b"PK\x03\x04broken", TableMapping())
    assert refused.value.problem()["field"] == "file"
    assert "CSV" in refused.value.problem()["remedy"]


async def test_a_table_that_takes_too_long_is_refused() -> None:
    with pytest.raises(DocumentHostile):
        await SafeTables(seconds=0.0).rows(CSV, TableMapping())
