"""Signing in, staying in, going out. The session lives in Postgres; the cookie holds 256 random bits and nothing else.

A session ends after 30 minutes without a request, after 12 hours in any case, at sign-out, and when its account is
closed or its password or roles change. A new one is made at every sign-in, so a token known before is worth nothing.
Ten failures in a row lock the account for 15 minutes; the answer to every failure is the same.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import case, delete, func, insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.db import Database
from services.console import audit
from services.console.audit import Deed
from services.console.errors import CannotSignIn
from services.console.people import lookup
from services.console.people.lookup import Account, Person
from services.console.people.passwords import Passwords
from services.console.tables import app_user, session

FAILURES = 10
_LOCK = text("interval '15 minutes'")


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just made: `token` goes into the cookie and is kept nowhere."""

    token: str
    tenant_id: UUID
    user_id: UUID


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def visitor_token(secret: bytes, visitor: str) -> str:
    """The form token of somebody who is not signed in: bound to the visitor's own random cookie."""
    return hmac.digest(secret, b"console-visitor:" + visitor.encode(), hashlib.sha256).hex()


async def sign_in(database: Database, passwords: Passwords, email: str, password: str, at: datetime) -> Opened:
    """A new session. Raises CannotSignIn, the same whatever was wrong, after the same work."""
    async with database.transaction() as db:
        known = await lookup.account(db, email)
    usable = known is not None and known.active and not known.locked
    right = await passwords.fits(password, known.password_hash if known else None)
    if known is None or not usable or not right:
        if known is not None:
            await _failed(database, known, at)
        raise CannotSignIn
    return await _open(database, known, at)


async def _failed(database: Database, known: Account, at: datetime) -> None:
    if known.locked:
        return
    async with database.transaction(known.tenant_id) as db:
        mine = (app_user.c.tenant_id == known.tenant_id, app_user.c.user_id == known.user_id)
        failures = app_user.c.failures + 1
        lock = case((failures >= FAILURES, func.now() + _LOCK), else_=app_user.c.locked_until)
        counted = case((failures >= FAILURES, 0), else_=failures)
        locking = update(app_user).where(*mine).values(failures=counted, locked_until=lock)
        left = await db.scalar(locking.returning(app_user.c.failures))
        action = "user.locked" if left == 0 else "user.sign_in_failed"
        await _note(db, known, at, action)


async def _open(database: Database, known: Account, at: datetime) -> Opened:
    token = secrets.token_urlsafe(32)
    async with database.transaction(known.tenant_id) as db:
        mine = (app_user.c.tenant_id == known.tenant_id, app_user.c.user_id == known.user_id)
        await db.execute(update(app_user).where(*mine).values(failures=0, locked_until=None, last_login_at=at))
        await _sweep(db, known.tenant_id)
        row = {"tenant_id": known.tenant_id, "user_id": known.user_id, "csrf": secrets.token_urlsafe(32)}
        await db.execute(insert(session).values(token_sha256=digest(token), **row))
        await _note(db, known, at, "user.signed_in")
    return Opened(token, known.tenant_id, known.user_id)


async def _sweep(db: AsyncConnection, tenant_id: UUID) -> None:
    over = (session.c.began_at < func.now() - lookup.ABSOLUTE) | (session.c.seen_at < func.now() - lookup.IDLE)
    await db.execute(delete(session).where(session.c.tenant_id == tenant_id, over))


async def who(database: Database, token: str | None, today: date) -> Person | None:
    """Who shows this token, with whom they stand in for today; at most once a minute the session is noted as in use."""
    if not token or len(token) > 100:
        return None
    async with database.transaction() as db:
        found = await lookup.person(db, digest(token), today)
    if found is not None and found.stale:
        async with database.transaction(found.tenant_id) as db:
            mine = (session.c.tenant_id == found.tenant_id, session.c.token_sha256 == digest(token))
            await db.execute(update(session).where(*mine).values(seen_at=func.now()))
    return found


async def sign_out(database: Database, person: Person, token: str, at: datetime) -> None:
    """End the session now."""
    async with database.transaction(person.tenant_id) as db:
        mine = (session.c.tenant_id == person.tenant_id, session.c.token_sha256 == digest(token))
        await db.execute(delete(session).where(*mine))
        await _note(db, person, at, "user.signed_out")


async def _note(db: AsyncConnection, who: Account | Person, at: datetime, action: str) -> None:
    await audit.write(db, Deed(who.tenant_id, at, f"user:{who.user_id}", action, "user", who.user_id))
