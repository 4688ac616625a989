"""Excel files of tables: real dates and numbers, the filters and the instant on top, nothing that runs as a formula.

A file is put together in another thread, some thousand lines at a time from one snapshot of the database, and sent
from disk: neither its size nor its making holds up the pages. At most two are made at once.
"""

import asyncio
import re
import tempfile
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell
from openpyxl.cell.cell import Cell as Written
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from libs.common import directory
from libs.common.money import Money, exponent
from services.console.pages.guard import PageRoute, may
from services.console.pages.lists import Column, Listing, asked, shown_by
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import work
from services.console.store.slices import MOST

MEDIA = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHUNK = 5_000
WIDTHS = {"name": 34, "text": 20, "money": 16, "date": 12, "moment": 17, "number": 10}
_FORMULA = re.compile(r"^[=+\-@\t\r]")

Cell = str | Money | date | datetime | int | Decimal | None
Row = Sequence[Cell]


@dataclass(frozen=True)
class Sheet:
    """A file to be: `head` are lines of label and value above the table, `columns` are (heading, kind of WIDTHS)."""

    title: str
    name: str
    head: Sequence[tuple[str, Cell]]
    columns: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Excel:
    """Makes files, a few at a time."""

    room: asyncio.Semaphore

    @classmethod
    def of(cls) -> "Excel":
        return cls(asyncio.Semaphore(2))

    async def answer(self, sheet: Sheet, rows: AsyncIterator[Sequence[Row]]) -> Response:
        """The file as an answer; it is gone from the disk when it was sent."""
        async with self.room:
            book = Book(sheet)
            async for some in rows:
                await asyncio.to_thread(book.add, some)
            path = await asyncio.to_thread(book.save)
        headers = {"cache-control": "no-store"}
        gone = BackgroundTask(path.unlink, missing_ok=True)
        return FileResponse(path, media_type=MEDIA, filename=sheet.name, headers=headers, background=gone)


class Book:
    """One workbook of one sheet, written line by line."""

    def __init__(self, sheet: Sheet) -> None:
        self.book = Workbook(write_only=True)
        self.page = self.book.create_sheet(re.sub(r"[\[\]:*?/\\]", " ", sheet.title)[:31])
        self.width = len(sheet.columns)
        for place, (_, kind) in enumerate(sheet.columns, 1):
            self.page.column_dimensions[get_column_letter(place)].width = WIDTHS[kind]
        self.top = len(sheet.head) + 3
        self.lines = 0
        self.page.freeze_panes = f"B{self.top + 1}"
        self.page.print_title_rows = f"{self.top}:{self.top}"
        self.page.page_setup.orientation = "landscape"
        self.page.page_setup.fitToHeight = 0
        self.page.sheet_properties.pageSetUpPr.fitToPage = True
        self._head(sheet)

    def _head(self, sheet: Sheet) -> None:
        self.page.append([self._bold(sheet.title, 14)])
        for label, value in sheet.head:
            self.page.append([self._text(label), self._cell(value)])
        self.page.append([])
        self.page.append([self._bold(heading) for heading, _ in sheet.columns])

    def _bold(self, text: str, size: int = 11) -> Written:
        cell = self._text(text)
        cell.font = Font(bold=True, size=size)
        if size == 11:
            cell.fill = PatternFill("solid", fgColor="E2EFEB")
        return cell

    def add(self, rows: Iterable[Row]) -> None:
        """Write lines of the table."""
        for row in rows:
            self.page.append([self._cell(value) for value in row])
            self.lines += 1

    def save(self) -> Path:
        """Close the table and write the file; answers where it is."""
        self.page.auto_filter.ref = f"A{self.top}:{get_column_letter(self.width)}{self.top + max(1, self.lines)}"
        with tempfile.NamedTemporaryFile(prefix="relance-", suffix=".xlsx", delete=False) as file:
            self.book.save(file)
            return Path(file.name)

    def _cell(self, value: Cell) -> Written | None:
        if value is None or value == "":
            return None
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Money):
            places = exponent(value.currency)
            shown = "#,##0" + ("." + "0" * places if places else "")
            return self._typed(Decimal(value.decimal()), f"{shown}\\ [${value.currency}]")
        if isinstance(value, datetime):
            return self._typed(value.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None), "dd/mm/yyyy\\ hh:mm")
        return self._typed(value, "dd/mm/yyyy" if isinstance(value, date) else "General")

    def _typed(self, value: Any, shown: str) -> Written:
        cell: Written = WriteOnlyCell(self.page, value)
        cell.number_format = shown
        return cell

    def _text(self, text: str) -> Written:
        """Text and nothing but text: what begins like a formula is marked as text for whoever edits it, too."""
        cell: Written = WriteOnlyCell(self.page, ILLEGAL_CHARACTERS_RE.sub(" ", text)[:32_000])
        cell.data_type = "s"
        if _FORMULA.match(text):
            cell.quotePrefix = True
        return cell


def routes_of(*listings: Listing) -> APIRouter:
    """The Excel file of every list, at the list's address with `.xlsx`."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    for listing in listings:
        routes.add_api_route(f"{listing.path}.xlsx", _file(listing), methods=["GET"])
    return routes


def _file(listing: Listing) -> Callable[..., Any]:
    async def file(request: Request, person: Person = Depends(may(listing.scope))) -> Response:  # noqa: B008
        return await exported(request, person, listing)

    file.__doc__ = f"The list {listing.path} as an Excel file."
    return file


async def exported(request: Request, person: Person, listing: Listing) -> Response:
    """Everything that the list's address shows, on all its pages."""
    room, t = here(request), web_of(request).texts_for(request, person)
    question = asked(request, person, listing)
    columns = listing.sheet()
    await room.settle(person.tenant_id, question.day, sales=listing.counts_sales)
    async with room.database.snapshot(person.tenant_id) as db:
        entities = {each.entity_id: each.name for each in await directory.entities(db, person.tenant_id)}
        as_of = await work.as_of(db, person.tenant_id)
        filters = shown_by(t, question, listing, entities)
        headings = [*((t(each.label), _kind(each)) for each in columns), (t("excel.currency"), "number")]
        sheet = headed(t, t(listing.title), filters, headings, as_of=as_of)

        async def rows() -> AsyncIterator[Sequence[Row]]:
            for offset in range(0, MOST, CHUNK):
                found = await listing.read(db, replace(question, limit=CHUNK, offset=offset))
                if listing.told_whole and listing.tell is not None:
                    await listing.tell(room, person, found.lines)
                yield [with_currency([plain(t, column, line) for column in columns]) for line in found.lines]
                if len(found.lines) < CHUNK:
                    return

        return await excel_of(request).answer(sheet, rows())


def headed(
    t: Texts,
    title: str,
    filters: Sequence[tuple[str, Cell]],
    columns: Sequence[tuple[str, str]],
    *,
    as_of: datetime | date | None,
) -> Sheet:
    """A sheet with its head: as of when, and what it was narrowed to."""
    day = as_of.astimezone(ZoneInfo(ZONE)).date() if isinstance(as_of, datetime) else as_of
    name = re.sub(r"[^a-z0-9]+", "-", _plain_letters(title)).strip("-")
    file = f"relance-{name}{f'-{day.isoformat()}' if day else ''}.xlsx"
    return Sheet(title, file, [(t("excel.as_of"), as_of), *filters], columns)


def _plain_letters(text: str) -> str:
    """`Balance âgée` → `balance agee`, for a file's name."""
    return unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()


def _kind(column: Column) -> str:
    kinds = {
        "day": "date",
        "moment": "moment",
        "customer": "name",
        "days": "number",
        "late": "number",
        "used": "number",
    }
    same = {"money": "money", "owing": "money", "limit": "money", "number": "number", "items": "number"}
    return (kinds | same).get(column.kind, "text")


def plain(t: Texts, column: Column, line: Any) -> Cell:
    """What a cell of a sheet holds: the column's value, a code in words."""
    value = column.value(line)
    if value is None or value == "":
        return None
    if column.words:
        return t.words.get(f"{column.words}{value}", str(value))
    return value if isinstance(value, str | Money | date | int | Decimal) else str(value)


def with_currency(row: list[Cell]) -> list[Cell]:
    """The row and the currency of its amounts, which a pivot table keeps apart."""
    return [*row, next((value.currency for value in row if isinstance(value, Money)), None)]


def excel_of(request: Request) -> Excel:
    """The maker of files of this application."""
    found: Excel = request.app.state.excel
    return found
