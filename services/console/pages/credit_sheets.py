"""The tables of a customer's credit file as Excel files: open invoices with their insurer's days, what was asked for
and decided, and what was declared to insurers with their answers.

They hold what the file shows, all of its lines, for whoever may open it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from libs.common.money import Money
from services.console.pages.asking import limits
from services.console.pages.credit import day_or_none
from services.console.pages.credit_file import Reader, told_of
from services.console.pages.excel import Cell, Row, excel_of, headed
from services.console.pages.guard import PageRoute
from services.console.pages.web import Texts, web_of
from services.console.room import here
from services.console.store import customers
from services.console.store.slices import MOST

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Facts = Mapping[str, Any]
Column = tuple[str, str]
ITEMS: tuple[Column, ...] = (
    ("invoice", "text"), ("invoice.due", "date"), ("invoice.left", "money"), ("credit.extend_to", "date"),
    ("credit.act_by", "date"), ("credit.days_left", "number"),
)  # fmt: skip
HISTORY: tuple[Column, ...] = (
    ("credit.asked", "text"), ("credit.amount", "money"), ("credit.why", "name"), ("silence.who", "text"),
    ("credit.asked.at", "moment"), ("credit.decided", "text"), ("credit.decided.at", "moment"),
    ("credit.decide.why", "name"), ("invoice.status", "text"),
)  # fmt: skip
DECLARED: tuple[Column, ...] = (
    ("invoice", "text"), ("credit.insurer", "text"), ("credit.policy", "text"), ("credit.declared_on", "date"),
    ("credit.declare_by", "date"), ("credit.reference", "text"), ("invoice.amount", "money"), ("invoice.left", "money"),
    ("credit.outcome", "text"), ("credit.answered_on", "date"), ("credit.indemnified", "money"), ("acts.note", "name"),
)  # fmt: skip


@routes.get("/customers/{debtor_id}/credit/{table}.xlsx")
async def credit_table(
    request: Request, person: Reader, debtor_id: UUID, table: Literal["items", "history", "declarations"]
) -> Response:
    """One table of a customer's credit file as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    async with room.database.transaction(person.tenant_id) as db:
        debtor = await customers.one(db, person.tenant_id, debtor_id, limits(person))
        items = await customers.open_lines(db, person.tenant_id, debtor_id, MOST) if table == "items" else []
    found = await told_of(room, person, debtor["payer_id"] or debtor_id)
    columns, rows, title = {
        "items": (ITEMS, _items(items, found), "customer.open"),
        "history": (HISTORY, _history(t, found), "credit.history"),
        "declarations": (DECLARED, [declared_row(t, each) for each in found["declarations"]], "credit.declarations"),
    }[table]
    about: list[tuple[str, Cell]] = [(t("customer"), debtor["name"] or t("customer.erased"))]
    headings = [*((t(label), kind) for label, kind in columns), (t("excel.currency"), "number")]
    sheet = headed(t, t(title), about, headings, as_of=room.clock.now())

    async def lines() -> AsyncIterator[Sequence[Row]]:
        yield rows

    return await excel_of(request).answer(sheet, lines())


def _items(items: Sequence[Facts], found: Facts) -> list[Row]:
    clocks = {each["item_id"]: each for each in found["deadlines"]}
    rows: list[Row] = []
    for item in items:
        clock = clocks.get(str(item["item_id"]))
        until = [_day(clock, "extend_to"), _day(clock, "act_by"), clock["days_left"] if clock else None]
        rows.append([
            item["number"], item["due_date"], Money(item["owed"], item["currency"]), *until, item["currency"]
        ])  # fmt: skip
    return rows


def _history(t: Texts, found: Facts) -> list[Row]:
    """Requests of every kind, the newest first."""
    rows: list[tuple[datetime, Row]] = []
    for kind, asker, decider in (
        ("limits", "entered", "approved"),
        ("blocks", "requested", "decided"),
        ("write_offs", "proposed", "decided"),
    ):
        for line in found[kind]:
            by = "withdrawn" if line.get("withdrawn_by") else decider
            at = datetime.fromisoformat(line[f"{asker}_at"])
            asked = line["act"] if kind == "blocks" else kind.removesuffix("s")
            why = line["note"] if kind == "write_offs" else line["reason"]
            amount = line["amount"]
            done = [_who(found, line[f"{by}_by"]), _moment(line[f"{by}_at"]), line.get("why")]
            row = [t(f"credit.asked.{asked}"), amount, why, _who(found, line[f"{asker}_by"]), at, *done]
            rows.append((at, [*row, t(f"credit.became.{line['state']}"), amount.currency if amount else None]))
    return [row for _, row in sorted(rows, key=lambda each: each[0], reverse=True)]


def declared_row(t: Texts, line: Facts) -> Row:
    """What was declared of one invoice, and the insurer's last answer."""
    return [
        line["number"],
        line["insurer"],
        line["policy"],
        _day(line, "declared_on"),
        _day(line, "declare_by"),
        line["reference"],
        line["amount"],
        line["owed"],
        t(f"credit.outcome.{line['outcome']}"),
        _day(line["answers"][-1], "answered_on") if line["answers"] else None,
        line["indemnified"] if line["indemnified"].minor else None,
        " · ".join(each["note"] for each in line["answers"] if each["note"]),
        line["amount"].currency,
    ]


def _who(found: Facts, actor: str | None) -> str | None:
    return found["names"].get(actor, actor) if actor else None


def _day(line: Facts | None, name: str) -> date | None:
    return day_or_none(line[name]) if line else None


def _moment(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None
