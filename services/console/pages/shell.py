"""What every page of a signed-in person shows around its own content: navigation, tenant, the instant it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import HTMLResponse

from libs.common import directory
from services.console.pages.asking import in_words
from services.console.pages.commands import opened
from services.console.pages.guard import allows
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import work
from services.console.store.ledger import Chosen


@dataclass(frozen=True)
class Page:
    """A page of the navigation; shown to whoever has its scope."""

    path: str
    icon: str
    label: str
    scope: str = "invoices:read"
    key: str = ""
    """The letter that opens it after `g`."""
    below: tuple[str, ...] = field(default=())

    def here(self, path: str) -> bool:
        """Whether a path is this page or one below it."""
        return path == self.path or (self.path != "/" and path.startswith(self.path + "/")) or path in self.below


NAVIGATION: Sequence[tuple[str, Sequence[Page]]] = (
    (
        "",
        (
            Page("/", "today", "nav.today", "notices:read", key="t"),
            Page("/customers", "customers", "nav.customers", "debtors:read", key="c"),
            Page("/invoices", "invoices", "nav.invoices", key="i"),
            Page("/aged-balance", "balance", "nav.balance", key="b"),
            Page("/payments", "payments", "nav.payments", "payments:read", key="p"),
            Page("/promises", "promises", "nav.promises", "reminders:read", key="r"),
            Page("/plans", "clock", "nav.plans", "reminders:read", key="a"),
            Page("/disputes", "disputes", "nav.disputes", "reminders:read", key="d"),
            Page("/holds", "holds", "nav.holds", "reminders:read", key="h"),
            Page("/credit", "stop", "nav.credit", "payments:read", key="g"),
            Page("/hand-over", "out", "nav.handing", "reminders:read", key="y"),
        ),
    ),
    (
        "nav.steer",
        (
            Page("/dso", "dso", "nav.dso", "payments:read", key="s"),
            Page("/figures", "checked", "nav.figures", "payments:read", key="k"),
            Page("/forecast", "coins", "nav.forecast", "payments:read", key="f"),
            Page("/tie-out", "checked", "nav.tieout", "payments:read", key="e"),
            Page("/reports", "download", "nav.reports", key="v"),
            Page("/team", "users", "nav.team", "audit:read", key="q"),
        ),
    ),
    (
        "nav.settings",
        (
            Page("/policies", "policies", "nav.policies", "reminders:read", key="l"),
            Page("/templates", "templates", "nav.templates", "notices:read", key="m"),
            Page("/calendars", "today", "nav.calendars", "reminders:read", key="z"),
            Page("/imports", "imports", "nav.imports", key="x"),
            Page("/integrations", "integrations", "nav.integrations", "directory:admin", key="n"),
            Page("/users", "users", "nav.users", "directory:admin", key="u"),
            Page("/portfolio", "users", "nav.portfolio", "debtors:read", key="w"),
            Page("/audit", "audit", "nav.audit", "audit:read", key="j"),
            Page("/operations", "operations", "nav.operations", "payments:read", key="o"),
        ),
    ),
)


def navigation(person: Person) -> list[tuple[str, list[Page]]]:
    """The groups of pages that this person may open."""
    groups = [(group, [page for page in pages if allows(person, page.scope)]) for group, pages in NAVIGATION]
    return [(group, pages) for group, pages in groups if pages]


async def shown(request: Request, template: str, person: Person, status: int = 200, **facts: Any) -> HTMLResponse:
    """A page within its shell; what was done on the page before is told once."""
    room, web = here(request), web_of(request)
    said = opened(web, request.cookies.get(web.cookies.said))
    async with room.database.transaction(person.tenant_id) as db:
        entities = await directory.entities(db, person.tenant_id)
        shell = {
            "tenant": await directory.tenant(db, person.tenant_id),
            "entities": entities,
            "narrowed_to": _narrowed_to(web.texts_for(request, person), facts, entities),
            "as_of": await work.as_of(db, person.tenant_id),
            "said": said,
        }
    page = web.page(request, template, person, status, navigation=navigation(person), **(shell | facts))
    if said is not None:
        web.cookies.drop(page, web.cookies.said)
    return page


def _narrowed_to(t: Texts, facts: Mapping[str, Any], entities: Sequence[directory.Entity]) -> list[tuple[str, str]]:
    """The filters of the page in words: on paper nobody sees the fields."""
    named = {each.entity_id: each.name for each in entities}
    if "list" in facts:
        told: list[tuple[str, str]] = facts["list"].narrowed_to(t, named)
        return told
    chosen = facts.get("chosen")
    return in_words(t, chosen, named) if isinstance(chosen, Chosen) else []


def day_start(now: datetime, zone: str = ZONE) -> datetime:
    """The first instant of the day in a zone, in UTC."""
    today = now.astimezone(ZoneInfo(zone)).date()
    return datetime.combine(today, time(), ZoneInfo(zone)).astimezone(UTC)
