"""The door every service opens for the console: which directory it has heard.

`GET /internal/v1/directory/version?kind=api_key&entry=…` answers `{"service", "heard", "entry"}`. The console
revokes a key with 200 only when every service's `entry` is at least the revocation's directory_version.
"""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from libs.common.auth import Caller, requires_service
from libs.common.db import Database
from libs.common.directory.completeness import entry_version, heard
from libs.common.directory.tables import INSTALLATION

Kind = Literal["tenant", "entity", "api_key", "source", "bank_details"]


class Version(BaseModel):
    """How far a service has heard the directory: in all, and of the entry asked about (0 = never)."""

    service: str
    heard: int
    entry: int


def router(service: str, database: Database) -> APIRouter:
    """The route, for every service to mount."""
    routes = APIRouter(prefix="/internal/v1/directory", tags=["internal"])

    @routes.get("/version")
    async def version(caller: Annotated[Caller, Depends(requires_service())], kind: Kind, entry: UUID) -> Version:
        """How far this service has heard the directory."""
        async with database.transaction(INSTALLATION, caller.tenant_id) as db:
            known = await entry_version(db, caller.tenant_id, kind, entry)
            return Version(service=service, heard=await heard(db), entry=known)

    return routes
