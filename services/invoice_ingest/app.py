"""Wiring of invoice_ingest: its doors, its loops, what they share."""

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
from services.invoice_ingest import api
from services.invoice_ingest.counting import Counting
from services.invoice_ingest.handlers import handlers
from services.invoice_ingest.permitting import look
from services.invoice_ingest.room import Room

SERVICE = "invoice_ingest"
LONG_BODIES = {
    "/v1/invoices/batch": 60_000_000,
    "/v1/debtors/batch": 40_000_000,
    "/v1/documents": 20_000_000,
    "/v1/invoices": 20_000_000,
    "/v1/imports": 25_000_000,
    "/v1/imports/look": 25_000_000,
}


def wire(settings: Settings, clock: Clock | None = None) -> App:
    """The doors, the relay and the consumer of invoice_ingest."""
    doors, loops = Database(settings, SERVICE, "api"), Database(settings, SERVICE, "loop")
    room = Room(settings, doors, clock or settings.clock())
    consumer = Consumer(settings, SERVICE, loops, handlers())
    relay = Relay(settings, SERVICE, loops, doors)
    reading = first_reading(settings, SERVICE, loops)
    http = make_app(
        settings,
        SERVICE,
        title="Relance invoice ingest",
        routers=[*api.routers(), permits.router(doors, look), directory_door(SERVICE, doors), received.router(doors)],
        state=room,
        database=doors,
        long_bodies=LONG_BODIES,
        ready={"directory": readiness(doors)},
        closed=room.closed,
    )
    closing = [room.close, http.state.doorkeeper.refusals.close, doors.close, loops.close]
    app_loops = {
        "consumer": consumer.run,
        "relay": relay.run,
        "directory": reading.run,
        "counting": Counting(loops).run,
    }
    return with_work(App(SERVICE, http, app_loops, closing), loops)
