"""What a notice says of late-payment charges, added to it when it is released.

The rule it protects: tones 1 and 2 say nothing, tone 3 names the right, tones 4 and 5 state the sums as of their day,
unless their step has its own word; of what they ask for: not of a part that is disputed, and not of what was claimed
before. What is stated is quoted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.events.reminders import CaseBody, ChargesStated, Line, ReminderDue
from libs.common.money import Money
from services.scheduler.charging import KINDS, Charged, Tariffs, accounts, claim_row
from services.scheduler.commands import Asker
from services.scheduler.policy import ChargesSaid
from services.scheduler.releasing import Written
from services.scheduler.situation import Situation
from services.scheduler.store import charges as store

OURSELVES = "scheduler"


async def with_charges(
    db: AsyncConnection, tariffs: Tariffs, found: Sequence[Written], situations: Sequence[Situation], now: datetime
) -> list[Written]:
    """The same with charges in the notices that speak of them or are told not to; the sums are kept as quotes."""
    days = {situation.case.case_id: situation.calendar.today(now) for situation in situations}
    if not any(each.charging for each in found):
        return list(found)
    named = [body for each in found for _, body in each.said if _word(each, body) in ("named", "stated")]
    known: dict[UUID, Charged] = {}
    for tenant, ids in _items(named).items():
        known |= await accounts(db, tenant, ids, tariffs)
    quotes: dict[UUID, dict[str, Any]] = {}
    told = []
    for each in found:
        said: list[tuple[UUID | None, CaseBody]] = []
        for known_as, body in each.said:
            word = _word(each, body)
            if isinstance(body, ReminderDue) and word is not None:
                body = stated(body, known, days[body.case_id], word)  # noqa: PLW2901 - the same notice, with its charges
                quotes |= {row["charge_id"]: row for row in _quotes(db, body, known, days[body.case_id], now)}
            said.append((known_as, body))
        told.append(replace(each, said=said))
    await store.claim(db, list(quotes.values()))
    return told


def _word(written: Written, body: CaseBody) -> ChargesSaid | None:
    return written.charging.get(body.reminder_id) if isinstance(body, ReminderDue) else None


def _items(named: Iterable[CaseBody]) -> Mapping[UUID, set[UUID]]:
    found: dict[UUID, set[UUID]] = {}
    for body in named:
        found.setdefault(body.tenant_id, set()).update(line.item_id for line in body.lines)  # type: ignore[attr-defined]
    return found


def stated(due: ReminderDue, known: Mapping[UUID, Charged], today: date, word: ChargesSaid) -> ReminderDue:
    """A notice with the articles behind its charges, and the sums of its lines if it states them; with neither if it
    says nothing."""
    if word == "none":
        nothing = ChargesStated(regime="", basis={}, lump_sum=False, as_of=today, sums=False)
        return due.model_copy(update={"charges": nothing})
    asked = [_asked(line, known[line.item_id]) for line in due.lines if line.item_id in known]
    claimed = [each for each in asked if each.account.why_not is None and each.regime is not None]
    regime = claimed[0].regime if claimed else None
    sums = word == "stated"
    lumps: set[UUID] = set()
    lines = [_line(line, known, today, lumps) for line in due.lines] if sums else due.lines
    stated_of = [each for each in claimed if each.row["due_date"] < today]
    return due.model_copy(
        update={
            "lines": lines,
            "charges": ChargesStated(
                regime=regime.key if regime is not None else "",
                basis=dict(regime.basis) if regime is not None else {},
                lump_sum=regime is not None and regime.lump_sum is not None,
                as_of=today,
                sums=sums,
                provisional=sums and any(each.account.sheet(today).provisional for each in stated_of),
            ),
        }
    )


def _asked(line: Line, charged: Charged) -> Charged:
    """The account of what the line asks for: a paused part is left out."""
    if line.paused is None:
        return charged
    debt = charged.account.debt
    less = replace(debt, principal=max(0, debt.principal - line.paused.minor))
    return replace(charged, account=replace(charged.account, debt=less, _sheets={}))


def _line(line: Line, known: Mapping[UUID, Charged], today: date, lumps: set[UUID]) -> Line:
    if line.item_id not in known:
        return line
    account = _asked(line, known[line.item_id]).account
    interest, lump = account.next("interest", today), account.next("lump_sum", today)
    if lump is not None and line.invoice_id in lumps:
        lump = None
    elif lump is not None:
        lumps.add(line.invoice_id)
    currency = line.residual.currency
    return line.model_copy(
        update={
            "interest": Money(interest.minor, currency) if interest is not None else None,
            "lump_sum": Money(lump.minor, currency) if lump is not None else None,
        }
    )


def _quotes(
    db: AsyncConnection, due: ReminderDue, known: Mapping[UUID, Charged], today: date, now: datetime
) -> Iterable[dict[str, Any]]:
    """The claims that the lines state, as quotes."""
    asker = Asker(db, due.tenant_id, OURSELVES, now)
    for line in due.lines:
        stated_kinds = [kind for kind in KINDS if getattr(line, kind) is not None]
        for kind in stated_kinds:
            charged = _asked(line, known[line.item_id])
            claim = charged.account.next(kind, today)
            if claim is not None:
                yield claim_row(asker, charged, claim, "quoted")
