"""Wiring of the console: its doors, its loops, what they share."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from libs.common.calls import Peers
from libs.common.clock import Clock
from libs.common.consumer import Consumer
from libs.common.db import Database
from libs.common.directory.door import router as directory_door
from libs.common.events.invoices import DebtorErased
from libs.common.http import make_app, problems
from libs.common.outbox import Relay
from libs.common.runtime import App
from libs.common.settings import Settings
from libs.common.work import with_work
from services.console import api, pages, projections
from services.console.directory.spreading import Spreading
from services.console.errors import NoSuchPage
from services.console.pages import imports
from services.console.pages.excel import Excel
from services.console.pages.web import HERE, ZONE, Web
from services.console.people.passwords import Passwords
from services.console.room import Room
from services.console.settling import Settling
from services.console.stack import Stack
from services.console.store import notes
from services.console.tables import read_model

SERVICE = "console"
REST = 0.5
"""Seconds between batches: pages may be that old, and a long batch costs little more than a short one."""
PROGRAMS = ("/v1/", "/internal/", "/healthz/", "/metrics", "/static/")


def wire(settings: Settings, clock: Clock | None = None) -> App:
    """The console: the directory's doors, the finance team's pages, and the consumer of their read model."""
    doors, loops = Database(settings, SERVICE, "api"), Database(settings, SERVICE, "loop")
    peers, stack = Peers(settings, SERVICE), Stack(settings)
    room = Room(settings, clock or settings.clock(), doors, peers, Spreading(peers), Passwords(), stack)
    routers = [*api.routers(), directory_door(SERVICE, doors), *pages.routers()]
    http = make_app(
        settings,
        SERVICE,
        title="Relance console",
        routers=routers,
        state=room,
        database=doors,
        long_bodies=imports.LONG,
    )
    http.state.web, http.state.excel = Web.of(settings), Excel.of()
    http.mount("/static", _Static(directory=HERE / "static"))
    http.add_exception_handler(HTTPException, _nowhere)
    handlers = projections.handlers(read_model)
    handlers[DebtorErased] = projections.both(handlers[DebtorErased], notes.erased)
    consumer = Consumer(settings, SERVICE, loops, handlers, acts=False, rest=REST)
    relay = Relay(settings, SERVICE, loops, doors)
    settling = Settling(loops, room.clock, ZONE)
    closing = [peers.close, stack.close, doors.close, loops.close]
    loop = {"consumer": consumer.run, "relay": relay.run, "settling": settling.run}
    return with_work(App(SERVICE, http, loop, closing), loops)


class _Static(StaticFiles):
    """Our own files; an address with a digest is kept for a year."""

    def file_response(self, full_path, stat_result, scope, status_code=200):  # type: ignore[no-untyped-def]
        answer = super().file_response(full_path, stat_result, scope, status_code)
        kept = "public, max-age=31536000, immutable" if b"v=" in scope["query_string"] else "no-cache"
        answer.headers["cache-control"] = kept
        return answer


async def _nowhere(request: Request, error: Exception) -> Response:
    """A path that is none: a page for people, a problem for programs."""
    person_asks = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(PROGRAMS)
    if person_asks and isinstance(error, HTTPException) and error.status_code == 404:
        return request.app.state.web.refusal(request, NoSuchPage())  # type: ignore[no-any-return]
    return await problems.http(request, error)
