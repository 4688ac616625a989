"""Accounts and sessions before their tenant is known: two SECURITY DEFINER functions that answer only that.

Like `resolve_credential` they belong to the schema's owner, have a fixed search_path, take a whole e-mail address or
a whole digest, and may be called by the `_api` role alone.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)

_ACCOUNT = """
create or replace function {schema}.find_account(asked_email text)
returns table (tenant_id uuid, user_id uuid, password_hash text, active boolean, locked boolean)
language sql stable security definer set search_path = {schema}, pg_temp
as $$
  select u.tenant_id, u.user_id, u.password_hash, u.active, coalesce(u.locked_until > now(), false)
    from app_user u
   where lower(u.email) = lower(asked_email)
$$
"""

_SESSION = """
create or replace function {schema}.find_session(asked_digest text, idle interval, absolute interval, today date)
returns table (tenant_id uuid, user_id uuid, csrf text, stale boolean, email text, name text, language text,
               roles text[], portfolio text, shortcuts boolean, covers text[])
language sql stable security definer set search_path = {schema}, pg_temp
as $$
  select s.tenant_id, s.user_id, s.csrf, s.seen_at < now() - interval '1 minute', u.email, u.name, u.language,
         u.roles, u.portfolio, u.shortcuts,
         array(select c.portfolio from substitute c
                where c.tenant_id = u.tenant_id and c.user_id = u.user_id and today between c.from_on and c.until_on
                order by c.portfolio)
    from session s join app_user u on u.tenant_id = s.tenant_id and u.user_id = s.user_id
   where s.token_sha256 = asked_digest
     and u.active
     and s.seen_at > now() - idle
     and s.began_at > now() - absolute
$$
"""


@dataclass(frozen=True, slots=True)
class Account:
    """What signing in needs of an account."""

    tenant_id: UUID
    user_id: UUID
    password_hash: str
    active: bool
    locked: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in. A `stale` session was not noted as in use for a minute."""

    tenant_id: UUID
    user_id: UUID
    csrf: str
    stale: bool
    email: str
    name: str
    language: str
    roles: frozenset[str]
    portfolio: str | None
    shortcuts: bool = True
    """Whether single keys do something."""
    covers: tuple[str, ...] = ()
    """The portfolios that this person looks after today as a substitute."""

    @property
    def portfolios(self) -> tuple[str, ...]:
        """Whose accounts are this person's today: the own ones first."""
        return tuple(dict.fromkeys([*([self.portfolio] if self.portfolio else []), *self.covers]))

    @property
    def limited(self) -> bool:
        """Whether this person sees own customers only: a sales owner who has no other role."""
        return self.roles == {"sales_owner"}

    @property
    def actor(self) -> str:
        """How the audit and the other services name this person."""
        return f"user:{self.user_id}"


def lookup_functions(schema: str) -> list[str]:
    """The statements that make both functions, run by the schema's owner."""
    found = [_ACCOUNT.format(schema=schema), _SESSION.format(schema=schema)]
    for signature in ("find_account(text)", "find_session(text, interval, interval, date)"):
        found.append(f"revoke all on function {schema}.{signature} from public")
        found.append(f"grant execute on function {schema}.{signature} to {schema}_api")
    return found


async def account(db: AsyncConnection, email: str) -> Account | None:
    """The account of this address, of whichever tenant."""
    found = (await db.execute(text("select * from find_account(:email)"), {"email": email})).one_or_none()
    return Account(*found) if found else None


async def person(db: AsyncConnection, digest: str, today: date) -> Person | None:
    """Who holds the session with this token digest; None when it ended or its account was closed.

    `today` decides for whom this person stands in.
    """
    asked = text("select * from find_session(:digest, :idle, :absolute, :today)")
    given = {"digest": digest, "idle": IDLE, "absolute": ABSOLUTE, "today": today}
    found = (await db.execute(asked, given)).one_or_none()
    if found is None:
        return None
    told = found._asdict()
    return Person(**{**told, "roles": frozenset(told["roles"]), "covers": tuple(told["covers"])})
