"""The clerk of an evaluation: posts the truth of each payment after the matcher has decided it.

Protects: the matcher learns only what a person would have taught it then: a match that is right stays, one that is
wrong is taken back, and the truth is posted by the commands that people have. What such a payment leaves on an item,
and no later payment is for, is credited away.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from libs.common.db import Database
from libs.common.errors import RelanceError
from libs.common.money import Money
from services.payment_matching import deciding
from services.payment_matching.allocation import Line, Owing, between, in_turn
from services.payment_matching.book import Book
from services.payment_matching.deciding import Decision, Wanted
from services.payment_matching.evaluation.files import Files, PaymentLine
from services.payment_matching.evaluation.staging import Stage
from services.payment_matching.store import books

ACTOR = "clerk"
_RESIDUALS = text("""
    select item_id, invoice_id, due_on, currency, residual_minor from open_item
     where tenant_id = :tenant and item_id = any(cast(:ids as uuid[]))
""")
_NOTES = text("""
    select credit_note_id, unapplied_minor from credit_note
     where tenant_id = :tenant and credit_note_id = any(cast(:ids as uuid[])) and unapplied_minor > 0
""")
_WRITE_OFF = text("""
    update open_item
       set amount_minor = amount_minor - residual_minor, residual_minor = 0, version = version + 1
     where tenant_id = :tenant and item_id = any(cast(:ids as uuid[])) and residual_minor > 0
""")
_HANDS_OFF = text("""
    update payment set by_person = true, pending = false where tenant_id = :tenant and payment_id = :payment
""")


class Clerk:
    """Somebody who knows every truth, and is asked after each decision."""

    def __init__(self, database: Database, stage: Stage, files: Files) -> None:
        self.database = database
        self.stage = stage
        self.truth = files.truth
        self.later = Counter(item for line in files.truth.values() for item in line.items)

    async def confirm(self, at: datetime, line: PaymentLine, payment: UUID, auto: Sequence[str] | None) -> None:
        """Post the truth of one payment; `auto` is what the machine gave it to, None when it did not."""
        truth = self.truth[line.id]
        self.later.subtract(truth.items)
        if auto is None or set(auto) != set(truth.items):
            if auto is not None:
                await self._take_back(at, payment)
            await self._post(at, line, payment, [self.stage.ids[item] for item in truth.items])
        finished = [self.stage.ids[item] for item in truth.items if self.later[item] <= 0]
        if finished and "part" not in truth.kind and "inst" not in truth.kind:
            async with self.database.transaction(self.stage.tenant) as db:
                await db.execute(_WRITE_OFF, {"tenant": self.stage.tenant, "ids": finished})

    async def _take_back(self, at: datetime, payment: UUID) -> None:
        tenant = self.stage.tenant
        async with self.database.transaction(tenant) as db:
            book = Book(at)
            await books.open_around_payments(db, book, [(tenant, payment)])
            parts = {one.allocation_id: one.amount for one in book.standing.values()}
            book.take_back(parts, "unallocated", ACTOR, at.date())
            await books.write(db, book)

    async def _post(self, at: datetime, line: PaymentLine, payment: UUID, ids: Sequence[UUID]) -> None:
        tenant = self.stage.tenant
        try:
            async with self.database.transaction(tenant) as db:
                asked = {"tenant": tenant, "ids": list(ids)}
                owed = {row.item_id: row for row in await db.execute(_RESIDUALS, asked) if row.residual_minor > 0}
                notes = [Line(row.credit_note_id, row.unapplied_minor) for row in await db.execute(_NOTES, asked)]
                wanted = _given(line, [owed[item] for item in ids if item in owed])
                if wanted:
                    await deciding.allocate(db, at, Decision(tenant, payment, ACTOR), wanted, notes)
        except RelanceError:
            # An earlier wrong match holds what this one paid: a person would clear that up elsewhere.
            return
        finally:
            async with self.database.transaction(tenant) as db:
                await db.execute(_HANDS_OFF, {"tenant": tenant, "payment": payment})


def _given(line: PaymentLine, owed: Sequence[Any]) -> list[Wanted]:
    """What a clerk gives to these items: all of the money; in another currency what was ordered, or all they owe."""
    if all(row.currency == line.currency for row in owed):
        return [Wanted(row.item_id) for row in owed]
    owing = [Owing(row.item_id, row.invoice_id, row.due_on, row.residual_minor) for row in owed]
    most = line.instructed.minor if line.instructed else sum(one.residual for one in owing)
    lines = between(in_turn(most, owing), line.minor)
    currency = {row.item_id: row.currency for row in owed}
    return [
        Wanted(one.item_id, Money(one.amount, currency[one.item_id]), Money(one.taken, line.currency)) for one in lines
    ]
