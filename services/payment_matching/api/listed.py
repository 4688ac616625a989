"""The ERP's list of open items as it comes: JSON, NDJSON or CSV. A line that cannot be read refuses the whole list.

Protects: a list is compared whole or not at all, since a line that was left out would look settled.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, Field, ValidationError

from libs.common.errors import Refused, RelanceError, TooLarge
from libs.common.events import Amount
from libs.common.http import Reference, Wire, parsed, read_json, unfit
from libs.common.money import Money
from services.payment_matching.agreeing import Theirs
from services.payment_matching.api.incoming import Day
from services.payment_matching.evidence import squeezed

MOST = 500_000
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
COLUMNS = ("number", "instalment", "debtor", "residual", "currency")
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/SnapshotIn"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


class Line(Wire):
    """An open item as the ERP has it; below zero is what the customer has to its credit."""

    number: Reference
    instalment: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """Without it the line stands for the whole invoice."""
    debtor: Reference | None = None
    """The customer's number."""
    residual: Amount


class Head(Wire):
    """What the list is, and what the ERP says is in it."""

    entity_id: UUID | None = None
    as_of: Day
    """The list is the ledger at the end of this day."""
    count: Annotated[int, Field(ge=0, le=MOST)]
    sum: Annotated[list[Amount], Field(max_length=50)]
    """One amount for each currency."""
    control_account: Annotated[list[Amount], Field(max_length=50)] = []
    """The balance of the customer control account, one amount for each currency."""


class SnapshotIn(Head):
    """All open items of an entity at a day."""

    items: Annotated[list[Line], Field(max_length=MOST)]


class Query(BaseModel):
    """The head of a CSV list, which has no room for it."""

    model_config = {"extra": "forbid"}

    entity_id: UUID | None = None
    as_of: Day | None = None
    count: Annotated[int | None, Field(ge=0, le=MOST)] = None
    sum: str | None = None
    """`1250.00 EUR`; several currencies apart by a comma."""
    control_account: str | None = None


def read(request: Request, body: bytes, asked: Query) -> tuple[Head, list[Theirs]]:
    """The head and the lines. Raises Refused with the line and the field, or TooLarge."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "text/csv":
        return _head_of(asked), list(_table(body))
    if media in NDJSON:
        raw = [line for line in body.splitlines() if line.strip()]
        if not raw:
            raise Refused("The list is empty: not even its head is there.", field="body")
        head = _fits(Head, read_json(raw[0]), 1)
        return head, [_line(_fits(Line, read_json(line), n)) for n, line in enumerate(_few(raw[1:]), 2)]
    whole = _fits(SnapshotIn, parsed(request), None)
    return whole, [_line(one) for one in whole.items]


def _few(lines: Sequence[Any]) -> Sequence[Any]:
    if len(lines) > MOST:
        raise TooLarge(f"A list has at most {MOST} lines.", most=MOST)
    return lines


def _fits(kind: type[Any], told: Any, n: int | None) -> Any:
    try:
        return kind.model_validate(told)
    except ValidationError as error:
        problem: RelanceError = unfit(error.errors(include_url=False, include_input=False))
    except RelanceError as refused:
        problem = refused
    if n is None:
        raise problem
    raise Refused(f"Line {n}: {problem.detail}", field=problem.field, line=n, remedy="Mend the line and send all.")


def _line(one: Line) -> Theirs:
    key = squeezed(one.number)[:64]
    return Theirs(key, one.number, one.instalment, one.residual.currency, one.residual.minor, one.debtor)


def _head_of(asked: Query) -> Head:
    needed: Mapping[str, Any] = {"as_of": asked.as_of, "count": asked.count, "sum": asked.sum}
    for name, value in needed.items():
        if value is None:
            raise Refused(f"Say the {name} of the list in the address.", field=name)
    facts = {"entity_id": asked.entity_id, "as_of": asked.as_of, "count": asked.count}
    return Head(
        **facts, sum=_amounts("sum", asked.sum), control_account=_amounts("control_account", asked.control_account)
    )


def _amounts(name: str, told: str | None) -> list[Any]:
    found = []
    for one in filter(None, (part.strip() for part in (told or "").split(","))):
        amount, _, currency = one.partition(" ")
        if not currency:
            raise Refused("An amount is written `1250.00 EUR`.", field=name)
        found.append(Money.parse(amount, currency.strip()))
    return found


def _table(body: bytes) -> Iterator[Theirs]:
    try:
        told = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("The table is not UTF-8.", field="body") from None
    first = told.partition("\n")[0]
    delimiter = ";" if first.count(";") >= first.count(",") else ","
    rows = csv.DictReader(io.StringIO(told, newline=""), delimiter=delimiter, strict=True)
    names = [name.strip() for name in rows.fieldnames or ()]
    rows.fieldnames = names
    if not {"number", "residual", "currency"} <= set(names) <= set(COLUMNS):
        raise Refused(f"The columns are {', '.join(COLUMNS)}; instalment and debtor may be left out.", field="body")
    try:
        for n, row in enumerate(rows, 2):
            if n > MOST + 1:
                raise TooLarge(f"A list has at most {MOST} lines.", most=MOST)
            yield _row(n, row, delimiter)
    except csv.Error as error:
        raise Refused(f"Line {rows.line_num}: {error}.", field="body") from None


def _row(n: int, row: dict[str, Any], delimiter: str) -> Theirs:
    plain = {name: value.strip() for name, value in row.items() if name and isinstance(value, str) and value.strip()}
    amount = plain.pop("residual", "")
    told: dict[str, Any] = {
        **{name: plain[name] for name in ("number", "debtor") if name in plain},
        "residual": {
            "amount": amount.replace(",", ".") if delimiter == ";" else amount,
            "currency": plain.get("currency", ""),
        },
    }
    if "instalment" in plain:
        told["instalment"] = int(plain["instalment"]) if plain["instalment"].isdigit() else plain["instalment"]
    return _line(_fits(Line, told, n))


def sums(amounts: Sequence[Money]) -> dict[str, int]:
    """Amounts by currency, in minor units. Raises Refused for a currency told twice."""
    found = {one.currency: one.minor for one in amounts}
    if len(found) != len(amounts):
        raise Refused("One amount for each currency.", field="sum")
    return found
