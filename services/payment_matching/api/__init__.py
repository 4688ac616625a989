"""HTTP in, HTTP out, by noun. No rules here."""

from fastapi import APIRouter

from services.payment_matching.api import items, ledger, lookups, payments, settlements, statements, webhooks


def routers() -> list[APIRouter]:
    """The routes of all nouns."""
    return [noun.routes for noun in (payments, webhooks, statements, ledger, items, settlements, lookups)]
