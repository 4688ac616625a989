"""What a notice that has not left becomes when its facts change. Pure.

A line whose invoice was amended or cancelled, or whose item owes more than printed, is taken out: the scheduler
releases it anew. A line that owes less is printed with what it owes. What is left may be rendered again under the
same approval only because it shrinks: same tone, same recipients, same text.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from libs.common.money import Money, totals


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """A line as it was printed, with the versions it was printed from."""

    occurrence_id: UUID
    release: int
    item_id: UUID
    item_version: int
    invoice_id: UUID
    invoice_version: int
    debtor_id: UUID
    number: str
    issue_date: date
    due_date: date
    amount: Money
    residual: Money
    paused: Money | None
    step_key: str
    tone: int
    completes: bool
    interest: Money | None = None
    lump_sum: Money | None = None

    @property
    def asked(self) -> Money:
        return self.residual - self.paused if self.paused else self.residual


@dataclass(frozen=True, slots=True)
class KnownItem:
    """What an item owes, as payment_matching last said."""

    residual: Money
    item_version: int


@dataclass(frozen=True, slots=True)
class KnownInvoice:
    """An invoice as invoice_ingest last said."""

    version: int
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """The lines that stay, and why the others go: occurrence → reason code."""

    kept: tuple[NoticeLine, ...]
    dropped: Mapping[UUID, str]
    anchor_item_id: UUID | None
    """None: nothing is left that could carry the notice; it ends."""


def revise(
    lines: Sequence[NoticeLine],
    items: Mapping[UUID, KnownItem],
    invoices: Mapping[UUID, KnownInvoice],
    *,
    tone: int,
    anchor: UUID,
    deductions: Sequence[Money] = (),
    held: Collection[UUID] = (),
    courtesy: bool = False,
) -> Revision | None:
    """The notice's next form, or None when nothing that it prints has changed.

    `held` are items that a hold silences now. `courtesy` notices (a thank-you) ask for nothing, so nothing due is no
    reason to end them.
    """
    kept: list[NoticeLine] = []
    dropped: dict[UUID, str] = {}
    for line in lines:
        reason = "held" if line.item_id in held else _gone(line, invoices.get(line.invoice_id))
        now = None if reason else _owing(line, items.get(line.item_id))
        if now is None:
            dropped[line.occurrence_id] = reason or _why(line, items[line.item_id])
        else:
            kept.append(now)
    if not dropped and all(a.residual == b.residual for a, b in zip(kept, lines, strict=True)):
        return None
    return Revision(tuple(kept), dropped, _anchor(kept, tone, anchor, deductions, courtesy=courtesy))


def _gone(line: NoticeLine, known: KnownInvoice | None) -> str | None:
    if known is None or known.version < line.invoice_version:
        return None
    if known.cancelled:
        return "cancelled"
    return "amended" if known.version > line.invoice_version else None


def _owing(line: NoticeLine, known: KnownItem | None) -> NoticeLine | None:
    """The line with what the item owes now; None when it cannot stay."""
    if known is None or known.item_version <= line.item_version:
        return line
    if known.residual.currency != line.residual.currency or known.residual > line.residual:
        return None
    if known.residual < line.residual and (not known.residual or (line.paused and known.residual <= line.paused)):
        return None
    return replace(line, residual=known.residual, item_version=known.item_version)


def _why(line: NoticeLine, known: KnownItem) -> str:
    if known.residual.currency != line.residual.currency:
        return "amended"
    if not known.residual:
        return "settled"
    return "reopened" if known.residual > line.residual else "held"


def _anchor(
    kept: Sequence[NoticeLine], tone: int, anchor: UUID, deductions: Sequence[Money], *, courtesy: bool
) -> UUID | None:
    """The item that carries the tone now: the old one if it stays, else the oldest of the same tone."""
    if not courtesy and not _something_due(kept, deductions):
        return None
    carrying = [line for line in kept if line.completes and (courtesy or line.tone == tone)]
    if any(line.item_id == anchor for line in carrying):
        return anchor
    oldest = min(carrying, key=lambda line: (line.due_date, line.number, line.item_id), default=None)
    return oldest.item_id if oldest else None


def _something_due(kept: Sequence[NoticeLine], deductions: Sequence[Money]) -> bool:
    due = totals(line.asked for line in kept)
    off = totals(each for each in deductions if each.currency in due)
    return any(amount > off.get(currency, Money.zero(currency)) for currency, amount in due.items())
