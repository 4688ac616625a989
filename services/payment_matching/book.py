"""The book: items, payments and credits of one transaction, locked, and every way money moves between them.

Protects invariant I5 and the rule that an event says exactly what was written: amounts, residuals and versions are
counted here once, kept as rows to write and told as events. No I/O; `store.books` opens and writes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from libs.common.events import Event, event
from libs.common.events.envelope import Body
from libs.common.events.payments import (
    Allocation,
    CreditApplied,
    How,
    InvoiceReopened,
    InvoiceSettled,
    PaymentMatched,
    PaymentReceived,
    PaymentReversed,
    PaymentUnmatched,
    Residual,
    WriteOff,
    WriteOffKind,
)
from libs.common.ids import uuid7
from libs.common.money import Money
from services.payment_matching import writing_off
from services.payment_matching.allocation import Line, Standing, fitting, taken_back
from services.payment_matching.errors import AlreadyReversed
from services.payment_matching.pages import CreditPage, Given, ItemPage, PaymentPage
from services.payment_matching.statements.told import KINDS

Reopening = Literal["unallocated", "returned", "refused_by_debtor", "amended"]


@dataclass(slots=True)
class Book:
    """One transaction's pages. `at` is the business instant of every event told."""

    at: datetime
    items: dict[UUID, ItemPage] = field(default_factory=dict)
    payments: dict[UUID, PaymentPage] = field(default_factory=dict)
    credits: dict[UUID, CreditPage] = field(default_factory=dict)
    standing: dict[UUID, Given] = field(default_factory=dict)
    made: list[Given] = field(default_factory=list)
    undone: list[tuple[UUID, UUID, str, str]] = field(default_factory=list)
    """(tenant, allocation, by whom, why)"""
    events: list[Event] = field(default_factory=list)
    cause: Event | None = None
    newest: int = 1 << 62
    owed_again: dict[UUID, list[WriteOff]] = field(default_factory=dict)
    """Item → what had been written off of it and is owed again, until that is told."""

    def tell(self, body: Body) -> None:
        self.events.append(event(body, self.at, cause=self.cause))

    # Giving

    def give(self, payment_id: UUID, lines: Sequence[Line], how: How, actor: str, evidence: Any = None) -> list[UUID]:
        """Allocate a part of a payment. Answers the allocations' ids. Raises OverAllocated when it does not fit."""
        payment = self.payments[payment_id]
        fit = fitting(payment.unapplied, lines, self._residuals(lines, payment.currency))
        settled, made = [], []
        for line in fit:
            item = self.items[line.item_id]
            made.append(self._new(line, payment, how, actor, evidence))
            settled += self._lower(item, line.amount, payment.value_on)
        payment.unapplied -= sum(line.taken for line in fit)
        payers = {self.items[line.item_id].payer_id for line in fit}
        payment.payer_id = payment.payer_id or (payers.pop() if len(payers) == 1 else None)
        # A person's word and an ERP's are theirs: from here on the machine only suggests.
        payment.by_person |= how != "auto"
        self._raise(payment)
        allocations = [self._allocation(line, payment) for line in fit]
        residuals = self._told(line.item_id for line in fit)
        facts = self._of(payment)
        self.tell(PaymentMatched(**facts, how=how, allocations=allocations, residuals=residuals))
        self._settle(settled, "payment")
        return made

    def _allocation(self, line: Line, payment: PaymentPage) -> Allocation:
        item = self.items[line.item_id]
        paid = None if line.paid is None else Money(line.paid, payment.currency)
        amount = Money(line.amount, item.currency)
        return Allocation(item_id=item.item_id, invoice_id=item.invoice_id, amount=amount, paid=paid)

    def keep(self, payment_id: UUID, payer_id: UUID) -> None:
        """A person says whose money this is and leaves it on account: the machine only suggests from here on."""
        payment = self.payments[payment_id]
        payment.payer_id, payment.by_person = payer_id, True
        self._raise(payment)
        self.tell(PaymentMatched(**self._of(payment), how="person", allocations=[], residuals=[]))

    def credit(self, credit_note_id: UUID, lines: Sequence[Line], how: How, actor: str) -> None:
        """Apply a part of a credit note. Raises OverAllocated when it does not fit."""
        note = self.credits[credit_note_id]
        fit = fitting(note.unapplied, lines, self._residuals(lines, note.currency))
        settled = []
        for line in fit:
            self._new(line, note, how, actor, None)
            settled += self._lower(self.items[line.item_id], line.amount, note.issued_on)
        note.unapplied -= sum(line.amount for line in fit)
        self._tell_credit(note, [line.item_id for line in fit])
        self._settle(settled, "credit")

    def answer(self, credit_note_id: UUID) -> None:
        """Say of a credit note that it was dealt with, though it reduced nothing yet."""
        self._tell_credit(self.credits[credit_note_id], [])

    def revise(self, credit_note_id: UUID, amount: Money, back: Mapping[UUID, int], by: str, on: date) -> None:
        """A credit note is worth this now. `back` is what its allocations give back, and leaves no more than that."""
        note = self.credits[credit_note_id]
        note.unapplied += amount.minor - note.amount
        note.amount, note.currency, note.changed = amount.minor, amount.currency, True
        self.take_back(back, "amended", by, on)

    def write_off(
        self, item_id: UUID, kind: WriteOffKind, how: How, actor: str, *, beside: UUID | None = None, why: Any = None
    ) -> UUID:
        """Write off whatever the item still owes, beside a payment or for itself. Raises OverTolerance."""
        item = self.items[item_id]
        amount = writing_off.within(kind, item.residual, item.amount, item.currency)
        on = self.payments[beside].value_on if beside else self.at.date()
        line = writing_off.facts(uuid7(), item, beside, on) | {"amount": amount, "paid": amount}
        made = Given(**line, how=how, order=self._next(), actor=actor, evidence=why, kind=kind)
        self._stand(made)
        self._settle(self._lower(item, amount, on), "payment" if beside else "write_off")
        return made.allocation_id

    def _residuals(self, lines: Sequence[Line], currency: str) -> Mapping[UUID, int]:
        """What these items owe; nothing to a line in another currency that does not say what it is worth in this."""
        pages = [(line, self.items[line.item_id]) for line in lines if line.item_id in self.items]
        return {one.item_id: one.residual for line, one in pages if (one.currency == currency) == (line.paid is None)}

    def _new(self, line: Line, of: PaymentPage | CreditPage, how: How, actor: str, evidence: Any) -> UUID:
        return self._stand(
            Given(
                allocation_id=uuid7(),
                tenant_id=of.tenant_id,
                source="credit" if isinstance(of, CreditPage) else "payment",
                source_id=of.credit_note_id if isinstance(of, CreditPage) else of.payment_id,
                item_id=line.item_id,
                amount=line.amount,
                paid=line.taken,
                how=how,
                order=self._next(),
                value_on=of.issued_on if isinstance(of, CreditPage) else of.value_on,
                actor=actor,
                evidence=evidence,
            )
        )

    def _next(self) -> int:
        """A place after everything that stands: rows in the store are counted from 1, far below."""
        self.newest += 1
        return self.newest

    def _stand(self, given: Given) -> UUID:
        self.standing[given.allocation_id] = given
        self.made.append(given)
        return given.allocation_id

    # Taking back

    def take_back(
        self, parts: Mapping[UUID, int], why: Reopening, by: str, on: date, how: How = "person", *, tell: bool = True
    ) -> None:
        """Undo these amounts of these allocations; what is left of one stands as a new line."""
        chosen = self._parts(parts)
        chosen += [one for one in writing_off.falling(self.standing.values(), chosen) if one not in chosen]
        before = {one.item_id for one in chosen if self.items[one.item_id].residual == 0}
        touched: dict[UUID, list[UUID]] = {}
        for given in chosen:
            self._undo(given.part(min(parts.get(given.allocation_id, given.amount), given.amount)), by, why)
            if given.source != "write_off":
                touched.setdefault(given.source_id, []).append(given.item_id)
        before |= self.owed_again.keys()
        for source, items in touched.items():
            if source in self.credits:
                self._tell_credit(self.credits[source], items)
            elif tell:
                self._unmatched(self.payments[source], items, how)
        self._reopen([item for item in before if self.items[item].residual], why, on)

    def _parts(self, parts: Iterable[UUID]) -> list[Given]:
        return [self.standing[one] for one in parts if one in self.standing]

    def _undo(self, part: Given, by: str, why: str) -> None:
        """Take this part of an allocation back; what is left of it, on both sides, stands as a new line."""
        whole = self.standing.pop(part.allocation_id)
        self.undone.append((part.tenant_id, part.allocation_id, by, why))
        if whole.paid > part.paid:
            left = replace(whole, amount=whole.amount - part.amount, paid=whole.paid - part.paid)
            self._stand(replace(left, allocation_id=uuid7(), rest=True))
        item = self.items[part.item_id]
        item.residual += part.amount
        item.version += 1
        item.changed = True
        item.settled_on = None if item.residual else item.settled_on
        if part.source == "write_off":
            off = writing_off.told(part, part.amount, item.currency)
            self.owed_again.setdefault(part.item_id, []).append(off)
            return
        source = self.payments.get(part.source_id) or self.credits[part.source_id]
        source.unapplied += part.paid
        source.changed = True

    def reverse(self, payment_id: UUID, amount: int, code: str, *, refused: bool, on: date, by: str) -> None:
        """The bank took `amount` back. What was unapplied goes first, then the newest allocations.

        Raises AlreadyReversed when that much is not there any more.
        """
        payment = self.payments[payment_id]
        if amount > payment.amount - payment.returned:
            raise AlreadyReversed(f"{Money(payment.amount - payment.returned, payment.currency)} of it is still there.")
        mine = [one for one in self.standing.values() if one.source_id == payment_id and one.source == "payment"]
        back = taken_back(
            max(0, amount - payment.unapplied), [Standing(one.allocation_id, one.paid, one.order) for one in mine]
        )
        items = [self.standing[one].item_id for one, _ in back]
        settled = {item for item in items if self.items[item].residual == 0}
        for one in writing_off.falling(self.standing.values(), [self.standing[one] for one, _ in back]):
            self._undo(one, by, "returned")
        for allocation, paid in back:
            self._undo(self.standing[allocation].part_paid(paid), by, "returned")
        payment.unapplied -= amount
        payment.returned += amount
        self._raise(payment)
        facts = self._of(payment)
        residuals = self._told(items)
        self.tell(PaymentReversed(**facts, code=code, refused_by_debtor=refused, residuals=residuals))
        self._reopen(
            [item for item in settled if self.items[item].residual], "refused_by_debtor" if refused else "returned", on
        )

    # An invoice that changes

    def amend(self, item_id: UUID, amount: int, by: str, on: date) -> None:
        """An item now amounts to this. What no longer fits is given back to where it came from."""
        item = self.items[item_id]
        was_settled = item.residual == 0 and item.amount > 0
        mine = [one for one in self.standing.values() if one.item_id == item_id]
        stands = sum(one.amount for one in mine)
        spoken = item.version > 0
        changed = item.amount != amount
        item.amount = amount
        item.residual = max(0, amount - stands)
        item.changed = True
        if not changed or not spoken:
            return
        item.version += 1
        if stands > amount:
            item.residual = amount - stands
            self._give_back(item, mine, stands - amount, by)
        elif money := [one for one in mine if one.source != "write_off"]:
            self._retell(item, money)
        elif item.residual and not was_settled:
            # Everything was taken back before, so no payment or credit is left to carry the news.
            self._reopen([item_id], "amended", on)
        if item.residual == 0 and not was_settled and amount > 0:
            item.settled_on = on
            self._settle([item.item_id], "payment" if any(one.source == "payment" for one in mine) else "credit")
        elif item.residual and was_settled:
            self._reopen([item_id], "amended", on)

    def _give_back(self, item: ItemPage, mine: Sequence[Given], excess: int, by: str) -> None:
        standing = [
            Standing(
                one.allocation_id, one.amount, one.order, one.how == "person", one.source == "credit", bool(one.kind)
            )
            for one in mine
        ]
        sources = []
        for one, part in taken_back(excess, standing):
            if self.standing[one].source != "write_off":
                sources.append(self.standing[one].source_id)
            self._undo(self.standing[one].part(part), by, "amended")
        if item.residual == 0 and item.amount:
            item.settled_on = max(one.value_on for one in mine)
            self.owed_again.pop(item.item_id, None)
        for source in dict.fromkeys(sources):
            if source in self.credits:
                self._tell_credit(self.credits[source], [item.item_id])
            else:
                self._unmatched(self.payments[source], [item.item_id], "erp")

    def _retell(self, item: ItemPage, mine: Sequence[Given]) -> None:
        """Whoever stood on the item last says what it owes now."""
        last = max(mine, key=lambda one: one.order)
        if last.source == "credit":
            self._tell_credit(self.credits[last.source_id], [item.item_id])
            return
        payment = self.payments[last.source_id]
        self._raise(payment)
        facts = self._of(payment)
        self.tell(PaymentMatched(**facts, how=last.how, allocations=[], residuals=self._told([item.item_id])))

    # Counting and telling

    def _lower(self, item: ItemPage, amount: int, on: date) -> list[UUID]:
        item.residual -= amount
        item.version += 1
        item.changed = True
        if item.residual:
            return []
        item.settled_on = on
        return [item.item_id]

    def _raise(self, page: PaymentPage | CreditPage) -> None:
        page.version += 1
        page.changed = True

    def _told(self, items: Iterable[UUID]) -> list[Residual]:
        pages = [self.items[item] for item in dict.fromkeys(items)]
        return [
            Residual(
                item_id=page.item_id,
                invoice_id=page.invoice_id,
                residual=Money(page.residual, page.currency),
                item_version=page.version,
            )
            for page in pages
        ]

    def _of(self, payment: PaymentPage) -> dict[str, Any]:
        return {
            "tenant_id": payment.tenant_id,
            "version": payment.version,
            "entity_id": payment.entity_id,
            "payment_id": payment.payment_id,
            "payer_id": payment.payer_id,
            "amount": Money(payment.amount, payment.currency),
            "value_date": payment.value_on,
            "unapplied": Money(payment.unapplied, payment.currency),
        }

    def received(self, payment: PaymentPage, bank_account_id: UUID | None) -> None:
        """Say that money is on record, or whose it is once that is known."""
        self._raise(payment)
        facts = self._of(payment)
        self.tell(PaymentReceived(**facts, bank_account_id=bank_account_id, source=_source(payment.source)))

    def _unmatched(self, payment: PaymentPage, items: Sequence[UUID], how: How) -> None:
        payment.by_person |= how == "person"
        self._raise(payment)
        facts = self._of(payment)
        self.tell(PaymentUnmatched(**facts, how=how, residuals=self._told(items)))

    def _tell_credit(self, note: CreditPage, items: Sequence[UUID]) -> None:
        self._raise(note)
        self.tell(
            CreditApplied(
                tenant_id=note.tenant_id,
                version=note.version,
                entity_id=note.entity_id,
                credit_note_id=note.credit_note_id,
                note_version=note.told_version,
                payer_id=note.payer_id,
                unapplied=Money(note.unapplied, note.currency),
                residuals=self._told(items),
            )
        )

    def _item(self, page: ItemPage) -> dict[str, Any]:
        return {
            "tenant_id": page.tenant_id,
            "version": page.version,
            "entity_id": page.entity_id,
            "item_id": page.item_id,
            "invoice_id": page.invoice_id,
            "payer_id": page.payer_id,
        }

    def _settle(self, items: Sequence[UUID], by: Literal["payment", "credit", "write_off"]) -> None:
        for item in items:
            page = self.items[item]
            parts = [
                writing_off.told(one, one.amount, page.currency)
                for one in self.made
                if one.kind and one.item_id == item and one.allocation_id in self.standing
            ]
            on = page.settled_on or self.at.date()
            self.tell(InvoiceSettled(**self._item(page), settled_on=on, by=by, write_offs=parts))

    def _reopen(self, items: Iterable[UUID], why: Reopening, on: date) -> None:
        for item in items:
            page = self.items[item]
            owed, parts = Money(page.residual, page.currency), self.owed_again.pop(item, [])
            self.tell(InvoiceReopened(**self._item(page), residual=owed, reason=why, on=on, write_offs=parts))


def _source(source: str) -> Literal["statement", "api", "webhook"]:
    return "statement" if source in KINDS else "webhook" if source.startswith("webhook") else "api"
