"""The files of an evaluation: items, payments, truth and identities, one JSON object a line.

Protects: nothing is measured on half-read files. A line that cannot be taken ends the evaluation with its file, line,
field and what would be right.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from libs.common.errors import RelanceError
from libs.common.money import Money
from services.payment_matching.statements.exchange import RATE

Text = Annotated[str, Field(max_length=4000)]
Rate = Annotated[str, Field(pattern=f"^{RATE}$")]
Id = Annotated[str, Field(min_length=1, max_length=200)]


class BadLine(RelanceError):
    """A line of an evaluation file cannot be taken."""

    code = "bad_line"
    status = 422
    remedy = "Correct the line; the formats are in docs/matching.md. Nothing was measured."


class _Line(BaseModel):
    """What every line keeps to; names that are not known are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


L = TypeVar("L", bound=_Line)


class Discount(_Line):
    """Cash discount: so many percent within so many days of the issue date."""

    percent: Annotated[str | int | float, Field(union_mode="left_to_right")]
    days: Annotated[int, Field(ge=0, le=3650)]


class ItemLine(_Line):
    """An open item or a credit note; the amount is positive for both."""

    id: Id
    debtor: Id
    debtor_name: Text = ""
    number: Id
    kind: Literal["invoice", "credit_note"] = "invoice"
    amount: str
    currency: str
    issue_date: date
    due_date: date
    order_number: Text | None = None
    reference: Text | None = None
    discount: Discount | None = None

    @property
    def minor(self) -> int:
        return Money.parse(self.amount, self.currency).minor


class Ordered(_Line):
    """What the payer ordered in another currency, where the bank tells it."""

    amount: str
    currency: str

    @property
    def minor(self) -> int:
        return Money.parse(self.amount, self.currency).minor


class PaymentLine(_Line):
    """A payment as the bank tells it."""

    id: Id
    value_date: date
    amount: str
    currency: str
    payer_name: Text | None = None
    payer_iban: Text | None = None
    remittance: Text | None = None
    end_to_end_id: Text | None = None
    structured_reference: Text | None = None
    instructed: Ordered | None = None
    exchange_rate: Rate | None = None
    """As the bank told it, in either direction."""

    @property
    def minor(self) -> int:
        return Money.parse(self.amount, self.currency).minor


class TruthLine(_Line):
    """What a payment really paid; no items for money that pays no invoice."""

    payment: Id
    items: tuple[str, ...] = ()
    kind: str = "unknown"


class IdentityLine(_Line):
    """An account that a debtor is known to pay from."""

    debtor: Id
    iban: Id


@dataclass(frozen=True)
class Files:
    """All of an evaluation, checked against itself. Payments are in arrival order."""

    items: Sequence[ItemLine]
    payments: Sequence[PaymentLine]
    truth: dict[str, TruthLine]
    identities: Sequence[IdentityLine]
    untold: int
    """Payments without a line of truth: they are taken to pay no item."""


def load(items: Path, payments: Path, truth: Path, identities: Path | None) -> Files:
    """Read the files. Raises BadLine with the place of the first line that cannot be taken."""
    owed = _unique(items, lambda line: line.id, _lines(items, ItemLine))
    paid = _unique(payments, lambda line: line.id, _lines(payments, PaymentLine))
    told = _unique(truth, lambda line: line.payment, _lines(truth, TruthLine))
    known = list(_lines(identities, IdentityLine)) if identities else []
    item_ids, payment_ids = {line.id for _, line in owed}, {line.id for _, line in paid}
    for number, line in told:
        if line.payment not in payment_ids:
            raise _bad(truth, number, "payment", f"{line.payment!r} is no payment of {payments.name}.")
        for item in line.items:
            if item not in item_ids:
                raise _bad(truth, number, "items", f"{item!r} is no item of {items.name}.")
    by_payment = {line.payment: line for _, line in told}
    untold = [line.id for _, line in paid if line.id not in by_payment]
    by_payment |= {one: TruthLine(payment=one, kind="untold") for one in untold}
    return Files([o for _, o in owed], [p for _, p in paid], by_payment, [k for _, k in known], len(untold))


def _lines(path: Path, kind: type[L]) -> Iterator[tuple[int, L]]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if raw.strip():
                yield number, _one(path, number, raw, kind)


def _one(path: Path, number: int, raw: bytes, kind: type[L]) -> L:
    try:
        line = kind.model_validate(orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        raise _bad(path, number, None, f"This is no JSON: {error.msg}.", "Write one JSON object a line.") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        raise _bad(path, number, field, f"{first['msg']}.") from None
    if isinstance(line, ItemLine | PaymentLine):
        _check_amount(path, number, line)
    if isinstance(line, PaymentLine) and line.instructed:
        _check_amount(path, number, line.instructed, "instructed.")
        if line.instructed.currency == line.currency:
            remedy = "Leave it out where the payer ordered the currency that was booked."
            raise _bad(path, number, "instructed", "It is in the payment's own currency.", remedy)
    return line


def _check_amount(path: Path, number: int, line: ItemLine | PaymentLine | Ordered, of: str = "") -> None:
    try:
        minor = line.minor
    except RelanceError as error:
        raise _bad(path, number, of + (error.field or "amount"), error.detail) from None
    if minor <= 0:
        remedy = "Write the amount above zero; a credit note's too."
        raise _bad(path, number, f"{of}amount", f"{line.amount} is not more than nothing.", remedy)


def _unique(path: Path, key: Callable[[Any], str], lines: Iterator[tuple[int, L]]) -> list[tuple[int, L]]:
    seen: dict[str, int] = {}
    kept = []
    for number, line in lines:
        first = seen.setdefault(key(line), number)
        if first != number:
            raise _bad(path, number, "id", f"{key(line)!r} is on line {first} already.", "Give each its own id.")
        kept.append((number, line))
    return kept


def _bad(path: Path, number: int, field: str | None, detail: str, remedy: str = "") -> BadLine:
    place = f"{path}, line {number}" + (f", {field}" if field else "")
    return BadLine(f"{place}: {detail}", remedy=remedy)
