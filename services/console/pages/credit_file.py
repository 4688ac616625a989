"""One customer's credit: exposure beside its limits, blocks, write-offs, its insurer's cover, proceedings, files.

All of it is the scheduler's and asked for when the page is drawn, of the payer of the account. What is asked for here
another person grants on the page of what waits.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.calls import PeerRefused
from libs.common.clock import today
from libs.common.errors import Unavailable
from services.console.pages import forms
from services.console.pages.acting import Chaser, NothingChosen, about_customer
from services.console.pages.asking import limits
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.credit import MOODS, grants, state_of, waiting_for
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.owned import OWNER, all_of, amounts, named
from services.console.pages.shell import shown
from services.console.pages.web import ZONE
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import customers

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("reminders:read"))]
ACTS = ("block", "unblock")
GIVEN_UP = ("insolvency", "prescribed", "cost_over_benefit", "untraceable", "commercial", "other")
PROCEEDINGS = ("safeguard", "receivership", "liquidation", "conciliation")
PLACES = ("mainland", "overseas", "abroad")
LISTS = {
    "limits": "/v1/credit/limits",
    "blocks": "/v1/credit/blocks",
    "write_offs": "/v1/credit/write-offs",
    "insolvencies": "/v1/credit/insolvencies",
    "deadlines": "/v1/credit/deadlines",
    "declarations": "/v1/credit/declarations",
    "files": "/v1/recovery-files",
}
PLAIN = ("covers", "consents")
OUTCOMES = ("accepted", "refused", "indemnified")
ITEMS, SHOWN = 100, 30
"""Open invoices, and requests of each kind, that stand on the page; the Excel files have all of them."""
SOON = 1.5
"""Seconds that a customer's file waits for what stands in its margin."""
NOT_FOUND = 404


async def card(room: Room, person: Person, payer: UUID) -> dict[str, Any] | None:
    """What a customer's file tells of its credit; None where the scheduler knows no such payer or does not answer."""
    try:
        told: dict[str, Any] = await ask(room, person, OWNER, "GET", f"/v1/credit/accounts/{payer}", timeout=SOON)
    except (Unavailable, PeerRefused):  # the file stands without it
        return None
    return _stated(told)


def _stated(account: dict[str, Any]) -> dict[str, Any]:
    """The account with its amounts as money and its state in each currency."""
    money = ("exposure", "not_due", "overdue", "on_account", "limit", "available")
    figures = [amounts(each | {"state": state_of(account, each)}, *money) for each in account.get("figures", [])]
    return account | {"figures": figures}


@routes.get("/customers/{debtor_id}/credit")
async def credit_file(request: Request, person: Reader, debtor_id: UUID) -> Response:
    """A customer's exposure and limits, with what was decided, by whom, and what waits."""
    room, day = here(request), today(here(request).clock, ZONE)
    async with room.database.transaction(person.tenant_id) as db:
        debtor = await customers.one(db, person.tenant_id, debtor_id, limits(person))
        items = await customers.open_lines(db, person.tenant_id, debtor_id, ITEMS)
    payer = debtor["payer_id"] or debtor_id
    facts: dict[str, Any] = {"debtor": debtor, "payer_id": payer, "items": items, "moods": MOODS, "day": day}
    facts |= {"account": None, "names": {}, "terms": [], "waiting": []} | {name: [] for name in (*LISTS, *PLAIN)}
    trouble = ""
    try:
        facts |= await told_of(room, person, payer)
    except Unavailable:  # the page says so
        trouble = "plans.away"
    except PeerRefused as refused:
        if refused.answered != NOT_FOUND:
            raise
        trouble = "credit.unknown"
    facts["clocks"] = {each["item_id"]: each for each in facts["deadlines"]}
    facts |= {"trouble": trouble, "may_ask": allows(person, "reminders:write"), "grants": grants(person)}
    facts |= {"outcomes": OUTCOMES, "retractable": [each for each in facts["limits"] if _retractable(person, each)]}
    facts |= {
        "most": SHOWN,
        "given_up": GIVEN_UP,
        "proceedings": PROCEEDINGS,
        "sites": PLACES,
        "in_a_month": day + timedelta(days=30),
    }
    return await shown(request, "credit_file.html", person, **facts)


def _retractable(person: Person, line: dict[str, Any]) -> bool:
    """Whether this person may withdraw a limit: one that waits, or as a second manager one that holds."""
    second = grants(person) and line["entered_by"] != person.actor
    return line["state"] == "entered" or (line["state"] == "approved" and second)


async def told_of(room: Room, person: Person, payer: UUID) -> dict[str, Any]:
    """Everything that the scheduler knows of a payer's credit, the newest first. Raises Unavailable or PeerRefused."""
    account = await ask(room, person, OWNER, "GET", f"/v1/credit/accounts/{payer}")

    async def plain(name: str) -> list[dict[str, Any]]:
        params = {"payer_id": str(payer)}
        told: list[dict[str, Any]] = await ask(room, person, OWNER, "GET", f"/v1/credit/{name}", params=params)
        return told

    lists = (all_of(room, person, path, payer_id=str(payer)) for path in LISTS.values())
    told = await asyncio.gather(*lists, *(plain(name) for name in PLAIN))
    found = dict(zip((*LISTS, *PLAIN), told, strict=True))
    for name in ("limits", "blocks", "write_offs", "insolvencies", "files", *PLAIN):
        found[name] = [amounts(each, "amount") for each in reversed(found[name])]
    found["deadlines"] = [amounts(each, "owed") for each in found["deadlines"]]
    found["declarations"] = _declared(found["declarations"])
    actors = [(each, name) for name in BY for each in found[name]]
    lines = [each | {"who": each.get(who)} for each, name in actors for who in BY[name]]
    lines += [each | {"who": said["author"]} for each in found["declarations"] for said in each["answers"]]
    waiting = await waiting_for(room, person, payer)
    names = await named(room, person, [*lines, *waiting], "who", "by")
    terms = await ask(room, person, OWNER, "GET", "/v1/credit/insurers")
    newest = {each["name"]: each for each in sorted(terms["items"], key=lambda each: int(each["number"]))}
    more = {"account": _stated(account), "names": names, "waiting": waiting, "terms": list(newest.values())}
    return {**found, **more, "policies": {each["terms_id"]: each for each in terms["items"]}}


def _declared(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was declared with its answers, the newest first."""
    newest = sorted(lines, key=lambda each: str(each["declared_on"]), reverse=True)
    answered = [each | {"answers": [amounts(said, "amount") for said in each["answers"]]} for each in newest]
    return [amounts(each, "amount", "owed", "indemnified") for each in answered]


BY = {
    "limits": ("entered_by", "approved_by", "withdrawn_by"),
    "blocks": ("requested_by", "decided_by"),
    "write_offs": ("proposed_by", "decided_by"),
    "covers": ("author",),
    "consents": ("author",),
    "declarations": ("author",),
    "insolvencies": ("author",),
    "files": ("author", "handed_by"),
}
"""Where the people stand in each list."""


async def _payer(request: Request, person: Person, debtor_id: UUID) -> UUID:
    debtor = await about_customer(here(request), person, debtor_id)
    payer: UUID = debtor["payer_id"] or debtor_id
    return payer


async def _asked(request: Request, person: Person, form: Any, path: str, body: dict[str, Any]) -> Any:
    return await ask(here(request), person, OWNER, "POST", path, json=body, headers=once(key_of(form)))


def _day(form: Any, name: str) -> str | None:
    return forms.day(form, name).isoformat() if forms.text(form, name) else None


def _amount(form: Any) -> dict[str, str]:
    amount = forms.money(form)
    if amount is None:
        raise forms.FieldMissing(field="amount")
    return amount.wire()


@routes.post("/customers/{debtor_id}/credit/limit")
async def limit(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """Enter a limit; it holds once somebody else approved it."""
    body = {
        "payer_id": str(await _payer(request, person, debtor_id)),
        "amount": _amount(form),
        "valid_from": forms.day(form, "valid_from").isoformat(),
        "valid_until": _day(form, "valid_until"),
        "reason": forms.needed(form, "reason"),
    }
    await _asked(request, person, form, "/v1/credit/limits", body)
    return done(request, form, Told("done.credit.limit"))


@routes.post("/customers/{debtor_id}/credit/withdraw")
async def withdraw(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """Take a limit back; one that holds needs a manager who has not entered it."""
    await about_customer(here(request), person, debtor_id)
    chosen = forms.identities(form, "limit_id")
    if len(chosen) != 1:
        raise forms.FieldMissing("Choose one.", field="limit_id")
    await _asked(request, person, form, f"/v1/credit/limits/{chosen[0]}/withdraw", {"why": forms.needed(form, "why")})
    return done(request, form, Told("done.credit.withdrawn"))


@routes.post("/customers/{debtor_id}/credit/block")
async def block(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """Ask that deliveries stop, or go on."""
    act = forms.one_of(form, "act", ACTS)
    payer = await _payer(request, person, debtor_id)
    body = {"payer_id": str(payer), "act": act, "reason": forms.needed(form, "reason")}
    await _asked(request, person, form, "/v1/credit/blocks", body)
    return done(request, form, Told(f"done.credit.{act}"))


@routes.post("/customers/{debtor_id}/credit/write-off")
async def write_off(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """Propose to give up what an invoice owes, or a part of it."""
    await about_customer(here(request), person, debtor_id)
    items = forms.identities(form, "item")
    if len(items) != 1:
        raise NothingChosen(field="item")
    amount = forms.money(form)
    body = {
        "item_id": str(items[0]),
        "reason": forms.one_of(form, "reason", GIVEN_UP),
        "note": forms.needed(form, "note"),
    }
    await _asked(request, person, form, "/v1/credit/write-offs", body | ({"amount": amount.wire()} if amount else {}))
    return done(request, form, Told("done.credit.write_off"))


@routes.post("/customers/{debtor_id}/credit/cover")
async def cover(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """Put a customer under an insurer's policy."""
    chosen = forms.identities(form, "terms_id")
    if not chosen:
        raise forms.FieldMissing("Choose one.", field="terms_id")
    body = {
        "payer_id": str(await _payer(request, person, debtor_id)),
        "terms_id": str(chosen[0]),
        "amount": _amount(form),
        "valid_from": forms.day(form, "valid_from").isoformat(),
        "valid_until": _day(form, "valid_until"),
        "reference": forms.needed(form, "reference"),
    }
    await _asked(request, person, form, "/v1/credit/covers", body)
    return done(request, form, Told("done.credit.cover"))


@routes.post("/customers/{debtor_id}/credit/consent")
async def consent(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """Record the insurer's consent to a later payment: of the ticked invoices, or of all."""
    body = {
        "payer_id": str(await _payer(request, person, debtor_id)),
        "item_ids": [str(each) for each in forms.identities(form, "item")],
        "extended_to": forms.day(form, "extended_to").isoformat(),
        "given_on": forms.day(form, "given_on").isoformat(),
        "reference": forms.needed(form, "reference"),
    }
    await _asked(request, person, form, "/v1/credit/consents", body)
    return done(request, form, Told("done.credit.consent"))


@routes.post("/customers/{debtor_id}/credit/insolvency")
async def insolvency(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """The customer is in proceedings: nothing leaves for it any more."""
    body = {
        "payer_id": str(await _payer(request, person, debtor_id)),
        "kind": forms.one_of(form, "kind", PROCEEDINGS),
        "judgment_on": forms.day(form, "judgment_on").isoformat(),
        "published_on": _day(form, "published_on"),
        "place": forms.one_of(form, "place", PLACES),
        "trustee": forms.needed(form, "trustee"),
    }
    await _asked(request, person, form, "/v1/credit/insolvencies", body)
    return done(request, form, Told("done.credit.insolvency"))


@routes.post("/customers/{debtor_id}/credit/answer")
async def answer(request: Request, person: Chaser, form: Posted, debtor_id: UUID) -> Response:
    """Note what the insurer made of a declaration: accepted, refused, or paid, and how much."""
    await about_customer(here(request), person, debtor_id)
    items = forms.identities(form, "item")
    if len(items) != 1:
        raise NothingChosen(field="item")
    outcome, amount = forms.one_of(form, "outcome", OUTCOMES), forms.money(form)
    if outcome == "indemnified" and not amount:
        raise forms.FieldMissing(field="amount")
    if outcome == "refused" and amount:
        raise forms.FieldInvalid("A refusal has no amount.", field="amount")
    body = {
        "outcome": outcome,
        "answered_on": forms.day(form, "answered_on").isoformat(),
        "amount": amount.wire() if amount else None,
        "reference": forms.needed(form, "reference"),
        "note": forms.text(form, "note") or None,
    }
    await _asked(request, person, form, f"/v1/credit/declarations/{items[0]}/answers", body)
    return done(request, form, Told("done.credit.answered"))
