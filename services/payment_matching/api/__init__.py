"""HTTP in, HTTP out, by noun. No rules here."""

from fastapi import APIRouter

from services.payment_matching.api import (
    calibrations,
    items,
    ledger,
    lookups,
    payments,
    proposals,
    providers,
    settlements,
    statements,
    webhooks,
)


def routers() -> list[APIRouter]:
    """The routes of all nouns."""
    return [
        noun.routes
        for noun in (
            payments,
            webhooks,
            statements,
            ledger,
            items,
            settlements,
            proposals,
            providers,
            calibrations,
            lookups,
        )
    ]
