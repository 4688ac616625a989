"""What the services tell one another: every event type, its topic and its owner.

| topic | owner |
| relance.invoices, relance.debtors | invoice_ingest |
| relance.payments | payment_matching |
| relance.reminders | scheduler |
| relance.deliveries | notifier |
| relance.directory | console |
"""

from libs.common.events import debtors, deliveries, directory, invoices, payments, reminders
from libs.common.events.envelope import Amount, Body, Event, event, headers

OWNERS = {
    "relance.invoices": "invoice_ingest",
    "relance.debtors": "invoice_ingest",
    "relance.payments": "payment_matching",
    "relance.reminders": "scheduler",
    "relance.deliveries": "notifier",
    "relance.directory": "console",
}
HEARD = {
    "invoice_ingest": {"relance.directory"},
    "scheduler": {
        "relance.invoices",
        "relance.debtors",
        "relance.payments",
        "relance.deliveries",
        "relance.directory",
    },
    "notifier": {
        "relance.reminders",
        "relance.invoices",
        "relance.debtors",
        "relance.payments",
        "relance.directory",
    },
    "payment_matching": {"relance.invoices", "relance.debtors", "relance.reminders", "relance.directory"},
    "console": set(OWNERS) - {"relance.directory"},
}
"""Service → the topics it consumes."""
COMPACTED = {"relance.debtors", "relance.directory"}
PARTITIONS = 12


def _leaves(of: type[Body]) -> list[type[Body]]:
    below = of.__subclasses__()
    return [leaf for sub in below for leaf in _leaves(sub)] if below else [of]


TYPES: dict[str, type[Body]] = {leaf.__name__: leaf for leaf in _leaves(Body)}
"""Every event type by its name, the latest version of each."""

__all__ = [
    "COMPACTED",
    "HEARD",
    "OWNERS",
    "PARTITIONS",
    "TYPES",
    "Amount",
    "Body",
    "Event",
    "debtors",
    "deliveries",
    "directory",
    "event",
    "headers",
    "invoices",
    "payments",
    "reminders",
]
