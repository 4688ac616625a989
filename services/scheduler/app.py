"""Wiring of the scheduler: its doors, its loops, what they share."""

from libs.common import permits
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
from services.scheduler import api
from services.scheduler.alarming import Alarms
from services.scheduler.auditing import Auditor
from services.scheduler.charging import Tariffs
from services.scheduler.handlers import handlers, lock
from services.scheduler.outgoing import DOORS_AT_ONCE, Courier
from services.scheduler.owing import Owing
from services.scheduler.permitting import Looking
from services.scheduler.reviewing import Reviews
from services.scheduler.room import Room
from services.scheduler.store.policies import Policies
from services.scheduler.sweep import Sweep
from services.scheduler.texting import OwnTexts

SERVICE = "scheduler"


def wire(settings: Settings, clock: Clock | None = None) -> App:
    """The doors, the sweep, the reviews, the relay and the consumer of the scheduler."""
    doors, loops = Database(settings, SERVICE, "api"), Database(settings, SERVICE, "loop", pool=6)
    business = clock or settings.clock()
    policies, tariffs = Policies(), Tariffs()
    consumer = Consumer(settings, SERVICE, loops, handlers(), lock=lock)
    sweep = Sweep(loops, business, policies, behind=consumer.behind, tariffs=tariffs)
    reviews = Reviews(loops, business)
    # decides while the first one waits for the database
    other = Sweep(loops, business, policies, behind=consumer.behind, tariffs=tariffs)
    peers = Peers(settings, SERVICE)
    room = Room(settings, business, doors, policies, OwnTexts(peers), tariffs, peers, lambda: app.nudge("sweep"))
    relay = Relay(settings, SERVICE, loops, doors)
    reading = first_reading(settings, SERVICE, loops)
    http = make_app(
        settings,
        SERVICE,
        title="Relance scheduler",
        routers=[
            *api.routers(),
            permits.router(doors, Looking(business, policies).look),
            directory_door(SERVICE, doors),
        ],
        state=room,
        database=doors,
        ready={"directory": readiness(doors)},
    )
    running = {
        "consumer": consumer.run,
        "sweep": sweep.run,
        "sweep_beside": other.run,
        "reviews": reviews.run,
        "auditor": Auditor(loops, business).run,
        "alarms": Alarms(loops, business).run,
        "owing": Owing(loops).run,
        **{f"courier_{n}": Courier(settings, loops, business).run for n in range(1, DOORS_AT_ONCE + 1)},
        "relay": relay.run,
        "directory": reading.run,
    }
    app = App(SERVICE, http, running, [doors.close, loops.close, peers.client.aclose])
    return with_work(app, loops)
