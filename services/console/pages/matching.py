"""Matching by hand: a payment given to items, in whole or in parts, left on account, or taken back again; with what
of an item is written off beside it, within the bounds that its owner sets.

Each is payment_matching's command; what of a payment is left is shown when the page comes back. Where it answers that a
second person is needed, nothing is done yet and the page says so.
"""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from libs.common.calls import PeerRefused, Waiting
from libs.common.money import Money, from_wire, totals
from services.console.pages import formats, forms
from services.console.pages.acting import NothingChosen
from services.console.pages.commands import Told, ask, done, heard, key_of, once
from services.console.pages.guard import PageRoute, Posted, may
from services.console.pages.web import web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.tables import read_model as model

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Treasurer = Annotated[Person, Depends(may("payments:write"))]
OWNER = "payment_matching"
MOST = 100
WRITTEN_OFF = ("discount", "fee", "provider_fee", "rounding", "withholding", "other")
"""What a small rest may be written off as. Whether it is small enough, payment_matching says."""


async def shown_left(room: Room, person: Person, payment_id: UUID, told: dict[str, Any]) -> None:
    """Wait until the read model shows what is left of a payment now."""
    payment = model.payment
    left = (
        payment.c.unapplied == from_wire(told["unapplied"]).minor if told.get("unapplied") else payment.c.version >= 0
    )
    mine = (payment.c.tenant_id == person.tenant_id, payment.c.payment_id == payment_id, left)
    await heard(room, person.tenant_id, select(payment.c.payment_id).where(*mine))


def _parts(form: FormData) -> list[dict[str, Any]]:
    """The items of a form, each with the amount typed beside it, if any, and what its rest is to be written off as:
    by a choice of its own, or by the form's for all. One in another currency than the payment's says so, and what of
    the payment it takes. Raises NothingChosen, FieldMissing."""
    currency = str(form.get("currency") or "EUR")
    parts: list[dict[str, Any]] = []
    for each in forms.identities(form, "item"):
        there = str(form.get(f"currency:{each}") or currency)
        amounts = {"amount": _typed(form, f"amount:{each}", there), "paid": _typed(form, f"paid:{each}", currency)}
        lacking = [name for name, amount in amounts.items() if amount is None and there != currency]
        if lacking:
            raise forms.FieldMissing(field=f"{lacking[0]}:{each}")
        off = str(form.get(f"write_off:{each}") or form.get("write_off") or "")
        facts = {name: amount.wire() for name, amount in amounts.items() if amount}
        parts.append({"item_id": str(each)} | facts | ({"write_off": off} if off in WRITTEN_OFF else {}))
    if not parts:
        raise NothingChosen(field="item")
    return parts


def _typed(form: FormData, name: str, currency: str) -> Money | None:
    typed = forms.text(form, name, most=40)
    return forms.amount(typed, currency, name) if typed else None


def _credits(form: FormData) -> list[dict[str, Any]]:
    pairs = zip(form.getlist("credit"), form.getlist("credit_amount"), strict=False)
    currency = str(form.get("currency") or "EUR")
    return [
        {"credit_note_id": str(UUID(str(one))), "amount": forms.amount(str(a), currency).wire()} for one, a in pairs
    ]


async def _match(
    room: Room, person: Person, payment_id: UUID, body: dict[str, Any], key: dict[str, str]
) -> dict[str, Any]:
    path = f"/v1/payments/{payment_id}/allocations"
    told: dict[str, Any] = await ask(room, person, OWNER, "POST", path, json=body, headers=key)
    return told


@routes.post("/payments/{payment_id}/match")
async def match(request: Request, person: Treasurer, form: Posted, payment_id: UUID) -> Response:
    """Give it to these items: a suggestion as it is, or the parts that a person typed."""
    room = here(request)
    body = {"allocations": _parts(form), "credits": _credits(form)}
    told = await _match(room, person, payment_id, body, once(key_of(form)))
    if isinstance(told, Waiting):
        return done(request, form, Told("done.proposed"))
    before = set(form.getlist("had"))
    new = [each["allocation_id"] for each in told.get("allocations", []) if each["allocation_id"] not in before]
    await shown_left(room, person, payment_id, told)
    undo = f"/payments/{payment_id}/unmatch?" + "&".join(f"id={each}" for each in new) if new else ""
    off = [from_wire(each["amount"]) for each in told.get("write_offs", []) if each["allocation_id"] not in before]
    if not off:
        return done(request, form, Told("done.matched", {"count": len(body["allocations"])}, undo))
    language = web_of(request).language(request, person)
    amount = " + ".join(formats.money(each, language) for each in totals(off).values())
    return done(request, form, Told("done.matched.written_off", {"amount": amount}, undo))


@routes.post("/payments/{payment_id}/unmatch")
async def unmatch(
    request: Request,
    person: Treasurer,
    form: Posted,
    payment_id: UUID,
    ids: Annotated[list[UUID], Query(alias="id", max_length=MOST)],
) -> Response:
    """Take allocations back: the items owe again."""
    room, told = here(request), {}
    for each in ids:
        path = f"/v1/payments/{payment_id}/allocations/{each}"
        told = await ask(room, person, OWNER, "DELETE", path, headers=once(key_of(form), each))
    await shown_left(room, person, payment_id, told)
    return done(request, form, Told("done.unmatched"))


@routes.post("/payments/{payment_id}/account")
async def on_account(request: Request, person: Treasurer, form: Posted, payment_id: UUID) -> Response:
    """Say whose it is and leave it for later."""
    room = here(request)
    debtor = forms.identities(form, "debtor")
    if not debtor:
        raise forms.FieldMissing("Choose whose it is.", field="debtor")
    path, body = f"/v1/payments/{payment_id}/account", {"debtor_id": str(debtor[0])}
    told = await ask(room, person, OWNER, "POST", path, json=body, headers=once(key_of(form)))
    await shown_left(room, person, payment_id, told)
    return done(request, form, Told("done.on_account", {}, f"/payments/{payment_id}/retry"))


@routes.post("/payments/{payment_id}/reject")
async def reject(request: Request, person: Treasurer, form: Posted, payment_id: UUID) -> Response:
    """None of what was suggested is right."""
    path = f"/v1/payments/{payment_id}/suggestions/reject"
    await ask(here(request), person, OWNER, "POST", path, headers=once(key_of(form)))
    return done(request, form, Told("done.suggestions_rejected", {}, f"/payments/{payment_id}/retry"))


@routes.post("/payments/{payment_id}/retry")
async def retry(request: Request, person: Treasurer, form: Posted, payment_id: UUID) -> Response:
    """Let the machine look at it again."""
    room = here(request)
    told = await ask(room, person, OWNER, "POST", f"/v1/payments/{payment_id}/retry", headers=once(key_of(form)))
    await shown_left(room, person, payment_id, told)
    return done(request, form, Told("done.retried"))


@routes.post("/payments/accept")
async def accept_equals(request: Request, person: Treasurer, form: Posted) -> Response:
    """Take the suggestions that fit to the cent, as they were shown: `pair` is payment:item:amount:currency."""
    room = here(request)
    wanted: dict[UUID, list[dict[str, Any]]] = {}
    for pair in form.getlist("pair"):
        payment, item, amount, currency = _pair(str(pair))
        part = {"item_id": str(item), "amount": Money.parse(amount, currency).wire()}
        wanted.setdefault(payment, []).append(part)
    if not wanted or len(wanted) > MOST:
        raise NothingChosen(field="pair")
    given: dict[UUID, dict[str, Any]] = {}
    refused, waits = 0, 0
    for payment, parts in wanted.items():
        try:
            told = await _match(room, person, payment, {"allocations": parts}, once(key_of(form), payment))
        except PeerRefused:
            refused += 1
            continue
        if isinstance(told, Waiting):
            waits += 1
        else:
            given[payment] = told
    for payment, told in list(given.items())[-1:]:
        await shown_left(room, person, payment, told)
    facts = {"count": len(given), "waits": waits, "refused": refused}
    text = "done.equals.waits" if waits else "done.equals.some" if refused else "done.equals"
    return done(request, form, Told(text, facts))


def _pair(text: str) -> Sequence[Any]:
    parts = text.split(":")
    try:
        payment, item, amount, currency = UUID(parts[0]), UUID(parts[1]), parts[2], parts[3]
    except (ValueError, IndexError):
        raise forms.FieldInvalid("This is no pair.", field="pair") from None
    return payment, item, amount, currency
