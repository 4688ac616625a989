"""Recovery files over HTTP: proposed, prepared, looked at, handed over with a sealed zip, ended."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from libs.common.auth import Caller
from libs.common.errors import NotFound
from libs.common.http import Line, Prose, Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from libs.common.permits import Scope
from services.scheduler import dossiers, proposing, recovering
from services.scheduler.api.shared import (
    AboutCase,
    AmountIn,
    AmountOut,
    In,
    Reads,
    Writes,
    about,
    amount_of,
    only_managers,
)
from services.scheduler.commands import Row
from services.scheduler.dossiers import Drawn
from services.scheduler.recovery import dossier as contents
from services.scheduler.recovery.course import State
from services.scheduler.recovery.worth import Worth, worth
from services.scheduler.room import Room
from services.scheduler.sealing import Seal
from services.scheduler.store import recovery as store

routes = APIRouter(prefix="/v1/recovery-files", tags=["recovery files"])
Percent = Annotated[str, StringConstraints(pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,2})?)$")]
To = Literal["agency", "bailiff", "lawyer", "insurer", "court"]


class NewFile(Wire):
    """Open items of one case, in one currency."""

    item_ids: Annotated[list[UUID], Field(min_length=1, max_length=200)]
    reason: Line


class HandingOver(Wire):
    """To whom a file goes."""

    to: Line
    kind: To
    why: Line


class Estimate(Wire):
    """What going to court costs, a success fee in percent of what comes in, and a person's estimate of the chance."""

    cost: AmountIn
    fee_percent: Percent = "0"
    chance_percent: Annotated[int, Field(ge=0, le=100)]


class ToCourt(Estimate):
    """The estimate that was looked at; where it does not pay, why it is done all the same."""

    despite: Annotated[str, StringConstraints(max_length=300, strip_whitespace=True)] = ""


class Ended(Wire):
    """Why a file ends, and on which day."""

    why: Prose
    on: date | None = None


class FileItemOut(BaseModel):
    """An item of a file: what it owed when it was prepared, and what it owes now."""

    item_id: UUID
    number: str
    due_date: date
    owed_then: AmountOut
    owed_now: AmountOut


class FileStepOut(BaseModel):
    """One step of a file's course."""

    was: str
    became: State
    by: str
    at: datetime
    why: str
    on_day: date | None


class FileOut(AboutCase):
    """A recovery file."""

    file_id: UUID
    currency: str
    reason: str
    author: str
    prepared_at: datetime
    state: State
    handed_to: str
    handed_kind: To | None
    handed_by: str
    handed_at: datetime | None
    ended_at: datetime | None
    sha256: str | None
    """Of the sealed zip, once it was handed over."""


class FileWhole(FileOut):
    """With its items, its course, what may be claimed now, and the figures that it went to court with."""

    items: list[FileItemOut]
    steps: list[FileStepOut]
    principal: AmountOut
    interest: AmountOut
    lump_sums: AmountOut
    total: AmountOut
    figures: dict[str, Any] | None


class FilePage(BaseModel):
    """One page of files."""

    items: list[FileOut]
    next: str | None


class WorthOut(BaseModel):
    """Cost and benefit: `net` is the claim times its chance, less the success fee and the costs."""

    total: AmountOut
    chance_percent: int
    cost: AmountOut
    fee_percent: str
    expected: AmountOut
    fee: AmountOut
    net: str
    """In the file's currency; below zero when it costs more than it brings."""
    pays: bool
    breaks_even_at: int | None
    """The least chance in percent at which it pays; None when it never does."""


class PieceOut(BaseModel):
    """A file in the zip."""

    name: str
    size: int


class MissingOut(BaseModel):
    """What a claim is not proved by."""

    number: str
    what: Literal["invoice", "order", "delivery", "formal_notice"]


class Check(BaseModel):
    """What would be sealed now, and what is missing."""

    pieces: list[PieceOut]
    missing: list[MissingOut]


class ProposalOut(BaseModel):
    """A payer's items that are ripe to be handed over: after the ladder, or before the insurer's deadline."""

    entity_id: UUID
    payer_id: UUID
    currency: str
    item_ids: list[UUID]
    by: date
    """When the first of them was to be handed over."""
    why: Literal["ladder_done", "insurer"]


class ProposalList(BaseModel):
    """What somebody should decide about, the most urgent first."""

    items: list[ProposalOut]


class SealKey(BaseModel):
    """The public key that seals manifests: Ed25519, 32 bytes in base64."""

    algorithm: Literal["ed25519"] = "ed25519"
    public_key: str


def _out(row: Row) -> FileOut:
    return FileOut(**_facts(row))


def _facts(row: Row) -> dict[str, Any]:
    names = set(FileOut.model_fields) - set(AboutCase.model_fields) - {"sha256"}
    return about(row) | {"sha256": row["content_sha256"] or None} | {name: row[name] for name in names}


def _whole(told: Drawn, steps: list[Row]) -> FileWhole:
    currency, claim = told.file["currency"], told.claim
    names = FileStepOut.model_fields
    return FileWhole(
        items=[_item(row) for row in told.items],
        steps=[FileStepOut(**{name: step[name] for name in names}) for step in steps],
        principal=amount_of(claim.principal, currency),
        interest=amount_of(claim.interest, currency),
        lump_sums=amount_of(claim.lump_sums, currency),
        total=amount_of(claim.total, currency),
        figures=told.file["figures"],
        **_facts(told.file),
    )


def _item(row: Row) -> FileItemOut:
    left = dossiers.left(row)
    return FileItemOut(
        item_id=row["item_id"],
        number=row["number"],
        due_date=row["due_date"],
        owed_then=amount_of(row["owed_minor"], row["currency"]),
        owed_now=amount_of(left, row["currency"]),
    )


def _worth_out(found: Worth, currency: str) -> WorthOut:
    return WorthOut(
        total=amount_of(found.claim.total, currency),
        chance_percent=found.chance_percent,
        cost=amount_of(found.cost, currency),
        fee_percent=str(found.fee_percent),
        expected=amount_of(found.expected, currency),
        fee=amount_of(found.fee, currency),
        net=dossiers.shown(found.net, currency),
        pays=found.pays,
        breaks_even_at=found.breaks_even_at,
    )


async def _drawn(room: Room, caller: Caller, file_id: UUID) -> Drawn:
    async with room.asking(caller) as asker:
        return await dossiers.drawn(asker, await recovering.found(asker, file_id), room.tariffs)


def _estimated(told: Estimate, drawn: Drawn) -> Worth:
    cost = dossiers.in_currency(told.cost.money(), drawn.file["currency"])
    return worth(drawn.claim, told.chance_percent, cost, Decimal(told.fee_percent))


@routes.get("/proposals")
async def list_proposals(caller: Reads, room: In) -> ProposalList:
    """Who should be handed over: 45 days after the due date, or ten days before the insurer's deadline."""
    async with room.asking(caller) as asker:
        found = await proposing.proposals(asker)
    return ProposalList(items=[ProposalOut(**each) for each in found])


@routes.get("/seal-key")
async def show_seal_key(caller: Reads, room: In) -> SealKey:
    """The key that manifests are sealed with now; each zip holds the one it was sealed with."""
    return SealKey(public_key=Seal(room.settings).public)


@routes.post("", status_code=201)
async def prepare_file(told: NewFile, caller: Writes, room: In) -> FileOut:
    """Prepare a file. Nothing changes for its items until somebody else hands it over."""
    async with room.asking(caller) as asker:
        return _out(await recovering.prepare(asker, list(dict.fromkeys(told.item_ids)), told.reason))


@routes.get("")
async def list_files(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: State | None = None,
    payer_id: UUID | None = None,
) -> FilePage:
    """Files in the order in which they were prepared."""
    start = place(room.settings, "recovery-files", after)
    async with room.database.transaction(caller.tenant_id) as db:
        begin = start[0] if start else None
        found = await store.page(db, caller.tenant_id, limit + 1, begin, state=state, payer=payer_id)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "recovery-files", last["file_id"]) if last else None
    return FilePage(items=[_out(row) for row in rows], next=more)


@routes.get("/{file_id}")
async def show_file(file_id: UUID, caller: Reads, room: In) -> FileWhole:
    """One file with its items, its course and what may be claimed today."""
    told = await _drawn(room, caller, file_id)
    async with room.database.transaction(caller.tenant_id) as db:
        steps = await store.steps(db, caller.tenant_id, file_id)
    return _whole(told, steps)


@routes.get("/{file_id}/check")
async def check_file(file_id: UUID, caller: Reads, room: In) -> Check:
    """What would be sealed now, piece by piece, and what each claim lacks: copy, order, delivery note, notice."""
    told = await _drawn(room, caller, file_id)
    held = await dossiers.dossier(room.peers, told, caller.subject, room.clock.now())
    pieces = [PieceOut(name=name, size=len(data)) for name, data in contents.files(held).items()]
    lacking = [MissingOut.model_validate({"number": one, "what": what}) for one, what in contents.missing(held)]
    return Check(pieces=pieces, missing=lacking)


@routes.post("/{file_id}/hand-over")
async def hand_over(file_id: UUID, told: HandingOver, caller: Writes, room: In) -> FileOut:
    """Seal what somebody else prepared and hand it over: from now on nothing leaves from here for its items."""
    only_managers(caller, "hands a file over")
    async with room.asking(caller) as asker:
        await recovering.ready(asker, file_id)
    drawn, now = await _drawn(room, caller, file_id), room.clock.now()
    seal = Seal(room.settings)
    content, sha256, signature = await dossiers.sealed(room.peers, drawn, caller.subject, now, seal)
    facts = {
        "handed_to": told.to, "handed_kind": told.kind, "handed_by": caller.subject, "handed_at": now,
        "content": content, "content_sha256": sha256, "seal": signature, "seal_key": seal.public,
    }  # fmt: skip
    async with room.asking(caller) as asker:
        row = await recovering.hand_over(asker, drawn.file, drawn.items, facts, told.why)
    await room.stopped(Scope(caller.tenant_id, item_ids=[each["item_id"] for each in drawn.items]))
    return _out(row)


@routes.get("/{file_id}/file.zip", response_class=Response)
async def download_file(file_id: UUID, caller: Reads, room: In) -> Response:
    """The sealed zip, the same bytes every time; before the hand-over the one that would be sealed now."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await store.one(db, caller.tenant_id, file_id)
        content = await store.content(db, caller.tenant_id, file_id)
    if row is None:
        raise NotFound(f"There is no recovery file {file_id}.")
    if content is None:
        drawn = await _drawn(room, caller, file_id)
        content, *_ = await dossiers.sealed(room.peers, drawn, caller.subject, room.clock.now(), Seal(room.settings))
    told = {"content-disposition": f'attachment; filename="recovery-{file_id}.zip"'}
    return Response(content, media_type="application/zip", headers=told)


@routes.post("/{file_id}/worth")
async def estimate_worth(file_id: UUID, told: Estimate, caller: Reads, room: In) -> WorthOut:
    """What going to court costs and brings, before anybody does."""
    drawn = await _drawn(room, caller, file_id)
    return _worth_out(_estimated(told, drawn), drawn.file["currency"])


@routes.post("/{file_id}/judicial")
async def go_to_court(file_id: UUID, told: ToCourt, caller: Writes, room: In) -> FileOut:
    """On to the court; the figures are kept. Refused where it costs more than it brings and nobody says why."""
    only_managers(caller, "takes a file to court")
    drawn = await _drawn(room, caller, file_id)
    figures = _estimated(told, drawn)
    shown = _worth_out(figures, drawn.file["currency"]).model_dump(mode="json")
    async with room.asking(caller) as asker:
        return _out(await recovering.go_to_court(asker, file_id, figures, shown, told.despite))


@routes.post("/{file_id}/collect")
async def collect_file(file_id: UUID, told: Ended, caller: Writes, room: In) -> FileOut:
    """All of it was paid. A file of which nothing is owed any more says so by itself."""
    async with room.asking(caller) as asker:
        return _out(await recovering.end(asker, file_id, "collected", told.why, told.on))


@routes.post("/{file_id}/return")
async def return_file(file_id: UUID, told: Ended, caller: Writes, room: In) -> FileOut:
    """It came back, or was recalled: what is still owed is chased on from the level reached."""
    only_managers(caller, "takes a file back")
    async with room.asking(caller) as asker:
        return _out(await recovering.end(asker, file_id, "returned", told.why, told.on))


@routes.post("/{file_id}/drop")
async def drop_file(file_id: UUID, told: Ended, caller: Writes, room: In) -> FileOut:
    """Do not hand it over after all."""
    async with room.asking(caller) as asker:
        return _out(await recovering.end(asker, file_id, "dropped", told.why, told.on))
