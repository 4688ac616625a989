"""Facts of one notice, to be varied."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from libs.common.money import Money
from services.notifier.channels.email import Envelope
from services.notifier.contents import Account, Creditor, Facts, Row

IBAN = "FR7630006000011234567890189"
TODAY = date(2026, 10, 1)
CREDITOR = Creditor(
    "Verrerie du Léman SAS", "Claire Martin", "compta@verrerie-leman.fr", "+33 4 50 00 00 00", "552100554"
)


def row(n: int, *, late: int = 30, amount: int = 123450, currency: str = "EUR", residual: int | None = None) -> Row:
    """Invoice number n, due `late` days before TODAY."""
    due = TODAY - timedelta(days=late)
    return Row(
        UUID(int=n),
        UUID(int=1000 + n),
        f"FA-2026-{n:04}",
        due - timedelta(days=30),
        due,
        Money(amount, currency),
        Money(amount if residual is None else residual, currency),
    )


def facts(*rows: Row, **changes: object) -> Facts:
    """A firm reminder in French over these rows, or over one."""
    made = Facts(
        kind="reminder",
        tone=3,
        language="fr",
        today=TODAY,
        creditor=CREDITOR,
        debtor="Hôtel Beau Rivage",
        debtor_siren="732829320",
        contact="Service fournisseurs",
        rows=rows or (row(1),),
        anchor_item_id=UUID(int=1),
        accounts=(Account("Verrerie du Léman", IBAN, "AGRIFRPP"),),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def envelope(**changes: object) -> Envelope:
    made = Envelope(
        delivery_id=UUID("018f0000-0000-7000-8000-000000000001"),
        sender_name="Verrerie du Léman",
        sender="compta@verrerie-leman.fr",
        reply_to="compta@verrerie-leman.fr",
        recipient="fournisseurs@beau-rivage.fr",
        language="fr",
        at=datetime(2026, 10, 1, 7, 30, tzinfo=UTC),
    )
    return replace(made, **changes)  # type: ignore[arg-type]
