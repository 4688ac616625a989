"""The notifier, wired: its doors, and the loops that relay, hear, write and send."""

from libs.common.aside import Aside
from libs.common.calls import Peers
from libs.common.clock import Clock
from libs.common.consumer import Consumer
from libs.common.db import Database
from libs.common.directory import first_reading, readiness
from libs.common.directory.door import router as directory_door
from libs.common.http import make_app
from libs.common.metrics import NOTICES_SET_ASIDE
from libs.common.outbox import Relay
from libs.common.runtime import App, Pulse
from libs.common.settings import Settings
from libs.common.work import with_work
from services.notifier.api import inbound, routers
from services.notifier.channels.smtp import FINAL_SECONDS, Wire
from services.notifier.dispatch.asking import Asker
from services.notifier.dispatch.freezing import Freezer
from services.notifier.dispatch.loop import LANES, Dispatcher
from services.notifier.dispatch.recording import Recorder, Waits
from services.notifier.handlers import Handlers
from services.notifier.inbound import LIMIT
from services.notifier.render import Renderer
from services.notifier.room import Room
from services.notifier.tokens import Links, Tokens
from services.notifier.writing import Writer

SERVICE = "notifier"
REST = 0.25
"""Seconds between batches: what is said takes minutes to be approved or sent, so this is nobody's wait."""
POOL = 6
"""Connections of the loops: hearing, relaying, writing, claiming, permits and outcomes, at once."""
FLOOR = 50
"""Mails a day under which no tenant is ever stopped; development plays weeks in minutes, so there it is higher."""
FLOOR_IN_DEVELOPMENT = 5_000
LOGBOOKS = "lanes"
"""The folder of the state in which the lanes of each process say how far they are."""


def wire(
    settings: Settings,
    clock: Clock | None = None,
    *,
    peers: Peers | None = None,
    waits: Waits | None = None,
    final_seconds: float = FINAL_SECONDS,
    lanes: int = LANES,
) -> App:
    """The whole service over one event loop.

    `waits` are the seconds between tries of a mail, `final_seconds` those for which an answer after the dot is awaited,
    `lanes` the connections to the mail server.
    """
    now = clock or settings.clock()
    doors, loops = Database(settings, SERVICE, "api"), Database(settings, SERVICE, "loop", pool=POOL)
    peers, tokens, renderer = peers or Peers(settings, SERVICE), Tokens(settings.service_secret), Renderer()
    links = Links(settings.service_secret, settings.public_url)
    floor = FLOOR if settings.environment == "production" else FLOOR_IN_DEVELOPMENT

    pulses: dict[str, Pulse] = {}

    def nudge() -> None:
        for loop in ("writing", "dispatch"):
            if loop in pulses:
                pulses[loop].nudge()

    aside = Aside(NOTICES_SET_ASIDE)
    recorder = Recorder(loops, now, Asker(settings, loops, peers, now, floor), waits or Waits(), aside)
    freezer = Freezer(loops, peers, now, tokens, links)
    dispatcher = Dispatcher(
        loops,
        freezer,
        recorder,
        open_wire=lambda: Wire(settings, final_seconds=final_seconds),
        logbooks=settings.state / LOGBOOKS,
        lanes=lanes,
    )
    http = make_app(
        settings,
        SERVICE,
        title="Relance notifier",
        routers=[*routers(), directory_door(SERVICE, doors)],
        state=Room(settings, doors, now, renderer, tokens, links, floor, nudge),
        database=doors,
        long_bodies={inbound.PATH: LIMIT},
        ready={"directory": readiness(doors)},
    )
    app_loops = {
        "consumer": Consumer(settings, SERVICE, loops, Handlers(now, nudge).by_type(), rest=REST).run,
        "relay": Relay(settings, SERVICE, loops, doors).run,
        "directory": first_reading(settings, SERVICE, loops).run,
        "writing": Writer(loops, now, renderer, nudge, aside).run,
        "dispatch": dispatcher.run,
    }
    app = App(SERVICE, http, app_loops, [peers.close, doors.close, loops.close], pulses)
    return with_work(app, loops)
