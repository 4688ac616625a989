"""Credit insurance and insolvency over HTTP: terms, covers, consents, deadlines, declarations, proceedings."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from libs.common.http import Line, Reference, Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from libs.common.permits import Scope
from services.scheduler import insolvencies, insuring
from services.scheduler.api.shared import AmountIn, AmountOut, In, Reads, Writes, amount_of
from services.scheduler.credit.insolvency import Place
from services.scheduler.credit.insurance import ALARMS
from services.scheduler.store import credit
from services.scheduler.store import insurance as store
from services.scheduler.tables import insolvency, insurer_consent, insurer_cover

routes = APIRouter(prefix="/v1/credit", tags=["credit insurance"])
Alarm = Annotated[int, Field(ge=1, le=90)]
Proceedings = Literal["safeguard", "receivership", "liquidation", "conciliation"]


class NewTerms(Wire):
    """What a policy says, in calendar days. Sent again under the same name it is the policy's next version."""

    name: Line
    insurer: Line
    extension_days: Annotated[int, Field(ge=0, le=365)]
    """How long after its due date an invoice may be paid without the insurer's consent."""
    declaration_days: Annotated[int, Field(ge=1, le=365)]
    """How long after its due date an unpaid invoice has to be declared."""
    counts_from: Literal["due_date", "extended_due_date"] = "due_date"
    claim_days: Annotated[int, Field(ge=1, le=365)] | None = None
    """How long after its declaration it is filed as a claim."""
    alarm_days: Annotated[list[Alarm], Field(min_length=1, max_length=10)] = list(ALARMS)


class TermsOut(BaseModel):
    """A version of a policy; covers name it and keep it."""

    terms_id: UUID
    name: str
    insurer: str
    number: int
    extension_days: int
    declaration_days: int
    counts_from: Literal["due_date", "extended_due_date"]
    claim_days: int | None
    alarm_days: list[int]
    author: str
    set_at: datetime


class TermsList(BaseModel):
    """Every version of every policy."""

    items: list[TermsOut]


class NewCover(Wire):
    """A payer's invoices issued in a span are insured up to an amount."""

    payer_id: UUID
    terms_id: UUID
    amount: AmountIn
    valid_from: date
    valid_until: date | None = None
    reference: Reference


class CoverOut(BaseModel):
    """A cover as it was entered; of two over one day the later entered holds."""

    cover_id: UUID
    payer_id: UUID
    terms_id: UUID
    amount: AmountOut
    valid_from: date
    valid_until: date | None
    reference: str
    author: str
    set_at: datetime


class NewConsent(Wire):
    """The insurer's answer: items of a payer, or without any all of them, may be paid up to a day."""

    payer_id: UUID
    item_ids: Annotated[list[UUID], Field(max_length=500)] = []
    extended_to: date
    given_on: date
    reference: Reference


class ConsentOut(BaseModel):
    """A consent on record."""

    consent_id: UUID
    payer_id: UUID
    item_ids: list[UUID]
    extended_to: date
    given_on: date
    reference: str
    author: str
    recorded_at: datetime


class NewDeclaration(Wire):
    """Unpaid items that were declared to their insurer."""

    item_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]
    declared_on: date
    reference: Reference


class DeadlineOut(BaseModel):
    """The clocks of one covered item. `stage` is the tightest alarm it has reached, -1 once the day has passed."""

    item_id: UUID
    payer_id: UUID
    number: str
    owed: AmountOut
    due_date: date
    policy: str
    insurer: str
    extend_to: date
    declare_by: date
    act_by: date
    """The last working day on which it can still be declared."""
    hand_over_by: date
    days_left: int
    stage: int | None
    declared_on: date | None
    late: bool
    """It was declared after its day, or its day has passed."""
    reference: str | None
    claim_by: date | None


class DeadlinePage(BaseModel):
    """One page of deadlines."""

    items: list[DeadlineOut]
    next: str | None


class Declarations(BaseModel):
    """The items that were declared now."""

    items: list[DeadlineOut]


class AlarmOut(BaseModel):
    """An alarm as it was raised: so many days before, -1 once the day had passed."""

    kind: Literal["declaration", "claim"]
    subject_id: UUID
    due_on: date
    stage: int
    raised_at: datetime


class AlarmList(BaseModel):
    """The alarms of an item or of proceedings."""

    items: list[AlarmOut]


class NewInsolvency(Wire):
    """Proceedings of a payer. `place` is where your company is: claims from overseas and abroad have four months."""

    payer_id: UUID
    kind: Proceedings
    judgment_on: date
    published_on: date | None = None
    place: Place = "mainland"
    trustee: Line


class Publication(Wire):
    """The day on which the judgment was published."""

    published_on: date


class Filing(Wire):
    """The claim was filed with the trustee."""

    filed_on: date
    reference: Reference


class Ending(Wire):
    """The proceedings are over."""

    ended_on: date


class InsolvencyOut(BaseModel):
    """Proceedings: while they last nothing leaves for the payer; `file_by` is the last day to file the claim."""

    insolvency_id: UUID
    payer_id: UUID
    entity_id: UUID
    kind: Proceedings
    judgment_on: date
    published_on: date | None
    file_by: date | None
    place: Place
    trustee: str
    filed_on: date | None
    filing_reference: str
    author: str
    recorded_at: datetime
    ended_on: date | None


class InsolvencyPage(BaseModel):
    """One page of proceedings."""

    items: list[InsolvencyOut]
    next: str | None


def _out(shape: Any, row: store.Row) -> Any:
    names = set(shape.model_fields) - {"amount"}
    amount = {"amount": amount_of(row["amount_minor"], row["currency"])} if "amount" in shape.model_fields else {}
    return shape(**amount, **{name: row[name] for name in names})


def deadline_out(clock: insuring.Clock) -> DeadlineOut:
    """A covered item as it is shown."""
    row, dates = clock.row, clock.deadlines
    declared = row["declared_on"]
    return DeadlineOut(
        item_id=row["item_id"],
        payer_id=row["payer_id"],
        number=row["number"],
        owed=amount_of(row["owed_minor"], row["currency"]),
        due_date=row["due_date"],
        policy=row["name"],
        insurer=row["insurer"],
        extend_to=dates.extend_to,
        declare_by=dates.declare_by,
        act_by=dates.act_by,
        hand_over_by=dates.hand_over_by,
        days_left=(dates.declare_by - clock.today).days,
        stage=clock.stage,
        declared_on=declared,
        late=(declared or clock.today) > dates.declare_by,
        reference=row["reference"],
        claim_by=row["claim_by"],
    )


@routes.get("/insurers")
async def list_terms(caller: Reads, room: In) -> TermsList:
    """The policies of your insurers, every version of each."""
    async with room.database.transaction(caller.tenant_id) as db:
        found = await store.terms(db, caller.tenant_id)
    return TermsList(items=[_out(TermsOut, row) for row in found])


@routes.post("/insurers", status_code=201)
async def set_terms(told: NewTerms, caller: Writes, room: In) -> TermsOut:
    """Enter what a policy says: its longest extension and the days within which an unpaid invoice is declared."""
    facts = told.model_dump() | {"alarm_days": sorted(set(told.alarm_days), reverse=True)}
    async with room.asking(caller) as asker:
        return TermsOut.model_validate(_out(TermsOut, await insuring.set_terms(asker, facts)))


@routes.post("/covers", status_code=201)
async def set_cover(told: NewCover, caller: Writes, room: In) -> CoverOut:
    """Put a payer under a policy, for invoices issued from a day on."""
    async with room.asking(caller) as asker:
        span = (told.valid_from, told.valid_until)
        row = await insuring.cover(asker, told.payer_id, told.terms_id, told.amount.money(), *span, told.reference)
    return CoverOut.model_validate(_out(CoverOut, row))


@routes.get("/covers")
async def list_covers(caller: Reads, room: In, payer_id: UUID) -> list[CoverOut]:
    """The covers of a payer."""
    async with room.database.transaction(caller.tenant_id) as db:
        rows = await credit.page(db, insurer_cover, caller.tenant_id, 200, None, payer_id=payer_id)
    return [_out(CoverOut, row) for row in rows]


@routes.post("/consents", status_code=201)
async def record_consent(told: NewConsent, caller: Writes, room: In) -> ConsentOut:
    """Record the insurer's consent to a later payment, with its reference: promises and plans up to it are taken."""
    async with room.asking(caller) as asker:
        days = (told.extended_to, told.given_on)
        row = await insuring.consent(asker, told.payer_id, told.item_ids, *days, told.reference)
    return ConsentOut.model_validate(_out(ConsentOut, row))


@routes.get("/consents")
async def list_consents(caller: Reads, room: In, payer_id: UUID) -> list[ConsentOut]:
    """What insurers agreed to for a payer."""
    async with room.database.transaction(caller.tenant_id) as db:
        rows = await credit.page(db, insurer_consent, caller.tenant_id, 200, None, payer_id=payer_id)
    return [_out(ConsentOut, row) for row in rows]


@routes.get("/deadlines")
async def list_deadlines(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    until: date | None = None,
    payer_id: UUID | None = None,
) -> DeadlinePage:
    """Covered items that are unpaid and not declared, the first to be declared first; `until` a day."""
    start = place(room.settings, "deadlines", after)
    async with room.asking(caller) as asker:
        begin = (start[0], start[1]) if start else None
        found = await store.covered(asker.db, asker.tenant, until or date.max, limit + 1, begin, payer_id)
        rows, last = cut(found, limit)
        clocks = await insuring.clocks(asker, rows)
    more = cursor(room.settings, "deadlines", last["by"], last["item_id"]) if last else None
    return DeadlinePage(items=[deadline_out(clock) for clock in clocks], next=more)


@routes.get("/alarms")
async def list_alarms(caller: Reads, room: In, subject_id: UUID) -> AlarmList:
    """The alarms that were raised for an item or for proceedings, with when: the proof that somebody was told."""
    async with room.database.transaction(caller.tenant_id) as db:
        rows = await store.alarms(db, caller.tenant_id, [subject_id])
    return AlarmList(items=[_out(AlarmOut, row) for row in rows])


@routes.post("/declarations", status_code=201)
async def declare(told: NewDeclaration, caller: Writes, room: In) -> Declarations:
    """Note that unpaid items were declared, with the insurer's reference as the proof. Each item once."""
    async with room.asking(caller) as asker:
        items = list(dict.fromkeys(told.item_ids))
        clocks = await insuring.declare(asker, items, told.declared_on, told.reference)
    return Declarations(items=[deadline_out(clock) for clock in clocks])


@routes.post("/insolvencies", status_code=201)
async def open_insolvency(told: NewInsolvency, caller: Writes, room: In) -> InsolvencyOut:
    """A payer is in proceedings: nothing is chased any more, interest stops, the claim gets its last day."""
    async with room.asking(caller) as asker:
        days = (told.judgment_on, told.published_on)
        row = await insolvencies.told(asker, told.payer_id, told.kind, *days, told.place, told.trustee)
    await room.stopped(Scope(caller.tenant_id, debtor_ids=[told.payer_id]))
    return InsolvencyOut.model_validate(_out(InsolvencyOut, row))


@routes.post("/insolvencies/{insolvency_id}/publish")
async def publish_insolvency(insolvency_id: UUID, told: Publication, caller: Writes, room: In) -> InsolvencyOut:
    """The judgment was published: the claim's last day is counted from it."""
    async with room.asking(caller) as asker:
        row = await insolvencies.published(asker, insolvency_id, told.published_on)
    return InsolvencyOut.model_validate(_out(InsolvencyOut, row))


@routes.post("/insolvencies/{insolvency_id}/file")
async def file_claim(insolvency_id: UUID, told: Filing, caller: Writes, room: In) -> InsolvencyOut:
    """The claim was filed: its alarms end."""
    async with room.asking(caller) as asker:
        row = await insolvencies.filed(asker, insolvency_id, told.filed_on, told.reference)
    return InsolvencyOut.model_validate(_out(InsolvencyOut, row))


@routes.post("/insolvencies/{insolvency_id}/end")
async def end_insolvency(insolvency_id: UUID, told: Ending, caller: Writes, room: In) -> InsolvencyOut:
    """The proceedings are over: the payer is chased again."""
    async with room.asking(caller) as asker:
        row = await insolvencies.ended(asker, insolvency_id, told.ended_on)
    return InsolvencyOut.model_validate(_out(InsolvencyOut, row))


@routes.get("/insolvencies")
async def list_insolvencies(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    payer_id: UUID | None = None,
) -> InsolvencyPage:
    """Proceedings in the order in which they were told."""
    start = place(room.settings, "insolvencies", after)
    async with room.database.transaction(caller.tenant_id) as db:
        begin = start[0] if start else None
        found = await credit.page(db, insolvency, caller.tenant_id, limit + 1, begin, payer_id=payer_id)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "insolvencies", last["insolvency_id"]) if last else None
    return InsolvencyPage(items=[_out(InsolvencyOut, row) for row in rows], next=more)
