"""Wiring of payment_matching: its doors, its loops, what they share."""

from libs.common import permits, received
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
from services.payment_matching import api
from services.payment_matching.handlers import Hearing, lock
from services.payment_matching.permitting import Looking
from services.payment_matching.room import Room
from services.payment_matching.statements.camt import MAX_BYTES
from services.payment_matching.work import Matching

SERVICE = "payment_matching"
LONG_BODIES = {"/v1/statements": MAX_BYTES, "/v1/payments/batch": 30_000_000, "/v1/open-items/snapshots": 60_000_000}


def wire(settings: Settings, clock: Clock | None = None) -> App:
    """The doors, the relay, the consumer and the matching loop."""
    doors, loops = Database(settings, SERVICE, "api"), Database(settings, SERVICE, "loop")
    clock = clock or settings.clock()
    matching = Matching(loops, clock)
    room = Room(settings, doors, clock, matching.hurry)
    looking = Looking(clock, matching.hurry)
    relay = Relay(settings, SERVICE, loops, doors)
    loops.told.append(matching.hurry)
    consumer = Consumer(settings, SERVICE, loops, Hearing(clock).handlers(), lock=lock)
    reading = first_reading(settings, SERVICE, loops)
    http = make_app(
        settings,
        SERVICE,
        title="Relance payment matching",
        routers=[
            *api.routers(),
            permits.router(doors, looking.look),
            directory_door(SERVICE, doors),
            received.router(doors),
        ],
        state=room,
        database=doors,
        long_bodies=LONG_BODIES,
        ready={"directory": readiness(doors)},
        closed=room.closed,
    )
    running = {
        "consumer": consumer.run,
        "relay": relay.run,
        "directory": reading.run,
        "matching": matching.run,
    }
    closing = [http.state.doorkeeper.refusals.close, doors.close, loops.close]
    return with_work(App(SERVICE, http, running, closing), loops)
