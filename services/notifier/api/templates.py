"""Templates: our own texts, a tenant's versions of them, and a preview that sends nothing."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, StringConstraints

from libs.common.errors import NotFound
from libs.common.events.debtors import Language
from libs.common.http import Wire
from libs.common.money import Money
from services.notifier import contents
from services.notifier.contents import Creditor, Facts, Row
from services.notifier.known import notice_facts, read
from services.notifier.render import BLOCKS, KEYS, Source
from services.notifier.store import notices, templates

from .shared import Here, Reads, Writes

routes = APIRouter(prefix="/v1/templates", tags=["templates"])
Key = Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,39}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Subject = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class TemplateShown(BaseModel):
    """One text. Version 0 is ours; a tenant's own begin at 1."""

    key: str
    language: Language
    version: int
    subject: str
    body: str


class Templates(BaseModel):
    """Every text in use, and the words and blocks that texts are made of."""

    templates: list[TemplateShown]
    words: list[str]
    blocks: list[str]


class VersionShown(TemplateShown):
    """A version with who wrote it and when."""

    author: str
    created_at: datetime


class Versions(BaseModel):
    """All versions, the newest first."""

    versions: list[VersionShown]


class NewText(Wire):
    """A subject of one line and paragraphs in Liquid; [[lines]] and the other blocks stand alone in a paragraph."""

    subject: Subject
    body: Text


class Preview(NewText):
    """A text to look at, on a notice of ours or on sample invoices."""

    language: Language = "fr"
    notice_id: UUID | None = None


class Previewed(BaseModel):
    """What a recipient would read."""

    subject: str
    text: str
    html: str


def sample(language: Language) -> Facts:
    """Invented invoices, two of them, for a text that nobody has used yet."""
    dates = [(date(2026, 1, 12), date(2026, 2, 11)), (date(2026, 1, 20), date(2026, 2, 19))]
    rows = [
        Row(UUID(int=n), UUID(int=n), f"FA-2026-00{n}", issued, due, Money(125_000, "EUR"), Money(125_000, "EUR"))
        for n, (issued, due) in enumerate(dates, 1)
    ]
    creditor = Creditor("Exemple SAS", "Service comptabilité", "compta@exemple.fr", "+33 1 00 00 00 00")
    return Facts(
        kind="reminder",
        tone=4,
        language=language,
        today=date(2026, 3, 10),
        creditor=creditor,
        debtor="Client Exemple",
        debtor_siren="",
        contact="",
        rows=rows,
        anchor_item_id=UUID(int=1),
        accounts=(),
        earlier=(date(2026, 2, 13),),
    )


@routes.get("")
async def list_templates(caller: Reads, room: Here) -> Templates:
    """The texts in use: the tenant's newest versions, ours where there is none."""
    async with room.database.transaction(caller.tenant_id) as db:
        own = await templates.current(db, {caller.tenant_id})
    used: dict[tuple[str, str], Source] = dict(room.renderer.own) | {key[1:]: source for key, source in own.items()}
    listed = [TemplateShown(**_fields(source)) for _, source in sorted(used.items())]
    return Templates(templates=listed, words=sorted(contents.variables(sample("fr"))), blocks=list(BLOCKS))


def _fields(source: Source) -> dict[str, Any]:
    return {name: getattr(source, name) for name in ("key", "language", "version", "subject", "body")}


@routes.get("/{key}/{language}")
async def one_template(key: Key, language: Language, caller: Reads, room: Here) -> TemplateShown:
    """One text as it is in use."""
    async with room.database.transaction(caller.tenant_id) as db:
        own = await templates.current(db, {caller.tenant_id})
    source = own.get((caller.tenant_id, key, language)) or room.renderer.own.get((key, language))
    if source is None:
        raise NotFound(f"There is no template {key} in {language}.")
    return TemplateShown(**_fields(source))


@routes.get("/{key}/{language}/versions")
async def list_versions(key: Key, language: Language, caller: Reads, room: Here) -> Versions:
    """The tenant's versions of one text, the newest first."""
    async with room.database.transaction(caller.tenant_id) as db:
        rows = await templates.versions(db, caller.tenant_id, key, language)
    return Versions(versions=[VersionShown(**{n: getattr(row, n) for n in VersionShown.model_fields}) for row in rows])


@routes.post("/{key}/{language}/versions", status_code=201)
async def save(key: Key, language: Language, asked: NewText, caller: Writes, room: Here) -> VersionShown:
    """Save the next version of a text; it is used for what is written from now on. Refused if it cannot be rendered."""
    source = Source(key, language, asked.subject, asked.body)
    room.renderer.check(source, sample(language))
    now = room.clock.now()
    row = {"tenant_id": caller.tenant_id, **_fields(source), "author": caller.subject, "created_at": now}
    del row["version"]
    async with room.database.transaction(caller.tenant_id) as db:
        version = await templates.add(db, row)
    return VersionShown(**(_fields(source) | {"version": version}), author=caller.subject, created_at=now)


@routes.post("/preview")
async def preview(asked: Preview, caller: Reads, room: Here) -> Previewed:
    """Look at a text on one of our notices, or on sample invoices. Nothing is kept, nothing is sent."""
    key = "preview" if "preview" not in KEYS else "own"
    source = Source(key, asked.language, asked.subject, asked.body)
    seen = sample(asked.language)
    if asked.notice_id is not None:
        async with room.database.transaction(caller.tenant_id) as db:
            row = await notices.one(db, caller.tenant_id, asked.notice_id)
            known = await read(db, [row]) if row is not None else []
        if not known or known[0].entity is None or known[0].debtor is None:
            raise NotFound(f"There is no notice {asked.notice_id} to look at.")
        seen = notice_facts(known[0], "", room.clock.now())
    rendered = room.renderer.check(source, seen)
    return Previewed(subject=rendered.subject, text=rendered.text, html=rendered.html)
