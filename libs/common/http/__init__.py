"""The application factory: what is the same at the doors of all five services.

`make_app(…)` puts the door before the routes, answers every error as a problem, and adds health and metrics.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from libs.common import idempotency, metrics, operating
from libs.common.auth import Doorkeeper, Quota
from libs.common.db import Database
from libs.common.errors import RelanceError
from libs.common.health import Check, Health
from libs.common.http import openapi, problems
from libs.common.http.bodies import (
    Count,
    Line,
    MalformedBody,
    Prose,
    Reference,
    Version,
    Wire,
    parsed,
    read_json,
)
from libs.common.http.door import Closed, Door, Rules
from libs.common.http.etags import check_match, etag, tag
from libs.common.http.inline import inline
from libs.common.http.problems import InvalidRequest, respond, unfit
from libs.common.outbox import Bound
from libs.common.settings import Settings

MAX_BODY = 2_000_000
RATE, BURST = 4_000.0, 8_000.0
"""Requests a second of one tenant on one process, and the burst before that counts."""


def make_app(
    settings: Settings,
    service: str,
    *,
    title: str,
    routers: Sequence[APIRouter],
    state: object,
    database: Database,
    max_body: int = MAX_BODY,
    long_bodies: Mapping[str, int] | None = None,
    ready: Mapping[str, Check] | None = None,
    closed: Closed | None = None,
    quota: Quota | None = None,
) -> FastAPI:
    """One service's HTTP application.

    `state` becomes `app.state.room`, the routes' collaborators. `long_bodies` gives single paths, or all paths below
    one, their own limit in bytes. `ready` adds checks to `/healthz/ready`. `closed` shuts the unsafe /v1 routes with
    503 while it answers a sentence; unless told otherwise, while too much waits for the broker.
    """
    local = settings.environment == "development"
    app = FastAPI(
        title=title,
        version="1",
        docs_url="/docs" if local else None,
        redoc_url=None,
        openapi_url="/openapi.json" if local else None,
        redirect_slashes=False,
    )
    app.state.room = state
    app.state.health = Health(service, database, ready or {})
    app.state.doorkeeper = Doorkeeper(settings, service, database, quota or Quota(RATE, BURST))
    database.before_commit = idempotency.mark
    for router in (*routers, operating.router(service, database)):
        app.include_router(router)
    _operating(app)
    app.add_exception_handler(RelanceError, problems.known)
    app.add_exception_handler(RequestValidationError, problems.invalid)
    app.add_exception_handler(HTTPException, problems.http)
    rules = Rules(max_body, long_bodies or {}, not local, closed or Bound(database))
    app.add_middleware(Door, rules=rules, keeper=app.state.doorkeeper)
    setattr(app, "openapi", partial(_document, app))  # noqa: B010 - FastAPI's own way to replace its document
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = openapi.document(app)
    return app.openapi_schema


def _operating(app: FastAPI) -> None:
    """Health and metrics, which no proof guards and no document lists: they are not routed publicly."""

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> Response:
        troubles = await app.state.health.troubles()
        body = {"status": "ready"} if not troubles else {"status": "not ready", "troubles": troubles}
        return JSONResponse(body, 503 if troubles else 200, {"Retry-After": "2"} if troubles else None)

    async def measured(request: Request) -> Response:
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    for path, answer in (("/healthz/live", live), ("/healthz/ready", ready), ("/metrics", measured)):
        app.add_route(path, answer, include_in_schema=False)


__all__ = [
    "Count",
    "InvalidRequest",
    "Line",
    "MalformedBody",
    "Prose",
    "Reference",
    "Version",
    "Wire",
    "check_match",
    "etag",
    "inline",
    "make_app",
    "parsed",
    "read_json",
    "respond",
    "tag",
    "unfit",
]
