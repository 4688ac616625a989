"""Rendering: templates with the texts of a language, the formats of a zone, and the headers that keep a page safe.

Every page escapes by itself; there is no script and no style inside a page, so the policy allows none.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from libs.common.directory import Entity
from libs.common.errors import RelanceError
from libs.common.ids import uuid7
from libs.common.money import Money, exponent
from libs.common.settings import SettingMissing, Settings
from services.console.pages import formats
from services.console.pages.charts import shares
from services.console.people.lookup import Person

HERE = Path(__file__).parent
LANGUAGES = ("fr", "en")
ZONE = "Europe/Paris"
THEMES = ("light", "dark")
HOME = "/"

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "same-origin",  # with no-referrer a form would name no origin
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Cookies:
    """The names of our cookies. `__Host-` binds them to this host over TLS; plain http exists in development only,
    where the names carry the port instead, because cookies do not tell ports apart."""

    session: str
    visitor: str
    theme: str
    language: str
    said: str
    secure: bool

    @classmethod
    def of(cls, settings: Settings) -> "Cookies":
        """Raises SettingMissing when production would send sessions in clear."""
        secure = settings.public_url.startswith("https://")
        if not secure and settings.environment != "development":
            raise SettingMissing("RELANCE_PUBLIC_URL must begin with https:// outside development.")
        before, after = ("__Host-relance", "") if secure else ("relance", f"-{settings.ports['console']}")
        names = ("session", "visitor", "theme", "language", "said")
        session, visitor, theme, language, said = (f"{before}-{name}{after}" for name in names)
        return cls(session, visitor, theme, language, said, secure)

    def set(self, response: Response, name: str, value: str, *, age: int | None = None) -> None:
        """Set one of them; without an age it ends with the browser's session."""
        response.set_cookie(name, value, max_age=age, path="/", secure=self.secure, httponly=True, samesite="lax")

    def drop(self, response: Response, name: str) -> None:
        """Take one away."""
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")


class Texts:
    """The words of one language. A text that is missing is a fault that a test finds, not an empty place."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.words: dict[str, str] = {}
        for file in sorted((HERE / "texts").glob(f"{language}*.yaml")):  # fr.yaml, fr-lists.yaml …: a file an area
            self.words |= yaml.safe_load(file.read_text("utf-8"))

    def __call__(self, key: str, **facts: Any) -> str:
        """The text with its facts; `count` chooses between `key.one` and `key.many`."""
        if "count" in facts:
            few = facts["count"] in (0, 1) if self.language == "fr" else facts["count"] == 1
            key = f"{key}.one" if few else f"{key}.many"
            facts["count"] = formats.number(int(facts["count"]), self.language)
        return self.words[key].format(**facts) if facts else self.words[key]

    def has(self, key: str) -> bool:
        return key in self.words


def path_of_ours(wanted: str | None) -> str:
    """A path on this console, or home: nothing that a browser could read as another host."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or len(wanted) > 2_000:
        return HOME
    if any(character < "!" or character in "\\\x7f" for character in wanted):
        return HOME
    parts = urlsplit(wanted)
    return wanted if not parts.scheme and not parts.netloc else HOME


def _named(entities: Iterable[Entity]) -> list[tuple[str, str]]:
    """Entities as the options of a choice."""
    return sorted(((str(each.entity_id), each.name) for each in entities), key=lambda pair: pair[1].casefold())


def _pairs(values: Iterable[str]) -> list[tuple[str, str]]:
    """Plain words as the options of a choice."""
    return [(value, value) for value in values]


def icon(name: str, label: str = "") -> Markup:
    """One of our icons: silent, or with a label where it stands alone."""
    told = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="i" {}><use href="/static/icons.svg#{}"/></svg>').format(told, name)


@cache
def stamp(name: str) -> str:
    """A static file's address with a digest of its content, so that it may be kept for ever."""
    content = (HERE / "static" / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


@dataclass
class Web:
    """What pages are made with."""

    settings: Settings
    cookies: Cookies
    texts: Mapping[str, Texts]
    environments: Mapping[str, Environment] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "Web":
        texts = {language: Texts(language) for language in LANGUAGES}
        web = cls(settings, Cookies.of(settings), texts)
        web.environments = {language: web._environment(language) for language in LANGUAGES}
        return web

    def _environment(self, language: str) -> Environment:
        made = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters.update(formats.filters(language, ZONE))
        made.filters.update(named=_named, pairs=_pairs)
        made.globals.update(t=self.texts[language], icon=icon, stamp=stamp, language=language, shares=shares)
        made.globals.update(percent=lambda part, whole: formats.percent(part, whole, language), Money=Money)
        made.globals.update(new_key=uuid7, places=exponent)
        return made

    def language(self, request: Request, person: Person | None) -> str:
        """The person's, else the one chosen on this browser, else what the browser asks for, else French."""
        asked = request.query_params.get("language")
        chosen = person.language if person else asked or request.cookies.get(self.cookies.language)
        if chosen in LANGUAGES:
            return str(chosen)
        accepted = request.headers.get("accept-language", "")
        preferred = [part.partition(";")[0].strip()[:2].lower() for part in accepted.split(",")]
        return next((code for code in preferred if code in LANGUAGES), "fr")

    def texts_for(self, request: Request, person: Person | None) -> Texts:
        """The words of the language in which this request is answered."""
        return self.texts[self.language(request, person)]

    def page(
        self, request: Request, template: str, person: Person | None = None, status: int = 200, **facts: Any
    ) -> HTMLResponse:
        """A whole page."""
        theme = request.cookies.get(self.cookies.theme)
        shared = {
            "person": person,
            "path": request.url.path,
            "address_now": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "status": status,
            "theme": theme if theme in THEMES else None,
            "development": self.settings.environment == "development",
        }
        made = self.environments[self.language(request, person)].get_template(template)
        return HTMLResponse(made.render(shared | facts), status, HEADERS)

    def refusal(
        self,
        request: Request,
        error: RelanceError,
        person: Person | None = None,
        *,
        back: str = HOME,
        bare: bool = False,
    ) -> HTMLResponse:
        """An error as a page, or `bare` for the form it is about: what happened and what to do, in the reader's
        language where we have the words."""
        told = error.problem()
        facts = {name: told.get(name) or "" for name in ("code", "detail", "remedy", "field")}
        facts["sentences"] = told.get("sentences") or []  # the owner's sentences in the reader's language
        template = "_refused.html" if bare else "refusal.html"
        return self.page(request, template, person, int(told["status"]), back=back, **facts)


def web_of(request: Request) -> Web:
    """The Web of this application."""
    web: Web = request.app.state.web
    return web
