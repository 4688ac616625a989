"""HTTP in, HTTP out, by noun: the directory's administration under `/v1/directory`. No rules here.

Every route needs the scope `directory:admin`: an administrator's service token, or a key that has it.
"""

from fastapi import APIRouter

from services.console.api import audit, bank_details, entities, keys, sources, tenants, users


def routers() -> list[APIRouter]:
    """The routes of all nouns."""
    return [noun.routes for noun in (tenants, entities, users, keys, sources, bank_details, audit)]
