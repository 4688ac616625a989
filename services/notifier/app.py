"""The notifier, wired: its doors, and the loops that relay, hear, write and send."""

from libs.common.calls import Peers
from libs.common.clock import Clock
from libs.common.consumer import Consumer
from libs.common.db import Database
from libs.common.directory import first_reading, readiness
from libs.common.directory.door import router as directory_door
from libs.common.http import make_app
from libs.common.outbox import Relay
from libs.common.runtime import App
from libs.common.settings import Settings
from libs.common.work import with_work
from services.notifier.api import inbound, routers
from services.notifier.channels.email import Tokens
from services.notifier.channels.smtp import Wire
from services.notifier.dispatch.asking import Asker
from services.notifier.dispatch.freezing import Freezer
from services.notifier.dispatch.loop import Dispatcher
from services.notifier.dispatch.recording import Recorder, Waits
from services.notifier.handlers import Handlers
from services.notifier.inbound import LIMIT
from services.notifier.render import Renderer
from services.notifier.room import Room
from services.notifier.writing import Writer

SERVICE = "notifier"
POOL = 6
"""Connections of the loops: hearing, relaying, writing, claiming, permits and outcomes, at once."""
FLOOR = 50
"""Mails a day under which no tenant is ever stopped; development plays weeks in minutes, so there it is higher."""
FLOOR_IN_DEVELOPMENT = 5_000


def wire(settings: Settings, clock: Clock | None = None, *, waits: Waits | None = None) -> App:
    """The whole service over one event loop. `waits` are the seconds between tries of a mail."""
    now = clock or settings.clock()
    doors, loops = Database(settings, SERVICE, "api"), Database(settings, SERVICE, "loop", pool=POOL)
    peers, tokens, renderer = Peers(settings, SERVICE), Tokens(settings.service_secret), Renderer()
    floor = FLOOR if settings.environment == "production" else FLOOR_IN_DEVELOPMENT

    def nudge() -> None:
        app.nudge("writing")
        app.nudge("dispatch")

    recorder = Recorder(loops, now, Asker(settings, loops, peers, now, floor), waits or Waits())
    dispatcher = Dispatcher(loops, Freezer(loops, peers, now, tokens), recorder, open_wire=lambda: Wire(settings))
    http = make_app(
        settings,
        SERVICE,
        title="Relance notifier",
        routers=[*routers(), directory_door(SERVICE, doors)],
        state=Room(settings, doors, now, renderer, tokens, floor, nudge),
        database=doors,
        long_bodies={inbound.PATH: LIMIT},
        ready={"directory": readiness(doors)},
    )
    app_loops = {
        "consumer": Consumer(settings, SERVICE, loops, Handlers(now, nudge).by_type()).run,
        "relay": Relay(settings, SERVICE, loops, doors).run,
        "directory": first_reading(settings, SERVICE, loops).run,
        "writing": Writer(loops, now, renderer, lambda: app.nudge("dispatch")).run,
        "dispatch": dispatcher.run,
    }
    app = App(SERVICE, http, app_loops, [peers.close, doors.close, loops.close])
    return with_work(app, loops)
