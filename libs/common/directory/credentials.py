"""Credentials across tenants: whose key or source this is, before anybody knows the tenant.

A caller shows a key or names a source before its tenant is known, so row-level security would hide every row. One
SECURITY DEFINER function per schema answers exactly that question and nothing else; it belongs to the schema's owner,
has a fixed search_path, takes a whole reference (never a pattern), and may be called by the `_api` role alone.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

_KEY = re.compile(r"(rk_(?:live|test)_[a-z2-7]{8})_([A-Za-z0-9_-]{43})", re.ASCII)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

_FUNCTION = """
create or replace function {schema}.resolve_credential(asked_prefix text, asked_source uuid)
returns table (tenant_id uuid, credential_id uuid, entity_id uuid, purpose text, secrets text[], scopes text[],
               expires_at timestamptz, active boolean)
language sql stable security definer set search_path = {schema}, pg_temp
as $$
  select k.tenant_id, k.key_id, null::uuid, null::text, array[k.secret_sha256], k.scopes, k.expires_at, not k.revoked
    from directory_api_key k
   where k.prefix = asked_prefix
  union all
  select s.tenant_id, s.source_id, s.entity_id, s.purpose, s.sealed_secrets, '{{}}'::text[], null::timestamptz, s.active
    from directory_source s
   where s.source_id = asked_source
$$
"""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """An API key as the directory knows it; only the digest of its secret is kept."""

    tenant_id: UUID
    key_id: UUID
    secret_sha256: str
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked: bool

    def opens(self, secret: str, now: datetime) -> bool:
        """Whether this secret opens the door at this instant; compared in constant time."""
        alive = not self.revoked and (self.expires_at is None or now < self.expires_at)
        return hmac.compare_digest(digest(secret), self.secret_sha256) and alive


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A webhook source as the directory knows it; its secrets are sealed."""

    tenant_id: UUID
    source_id: UUID
    entity_id: UUID
    purpose: Literal["invoices", "payments"]
    sealed_secrets: tuple[str, ...]
    active: bool


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the moment of its birth: `token` is shown once and kept nowhere."""

    token: str
    prefix: str
    secret_sha256: str


def digest(secret: str) -> str:
    """SHA-256 in hexadecimal: enough for 256 random bits, which no dictionary holds."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_key(kind: Literal["live", "test"] = "live") -> NewKey:
    """A key `rk_live_<8>_<43>`: a prefix to find it by and 256 random bits."""
    prefix = f"rk_{kind}_" + "".join(secrets.choice(_ALPHABET) for _ in range(8))
    secret = secrets.token_urlsafe(32)
    return NewKey(f"{prefix}_{secret}", prefix, digest(secret))


def split_key(token: str) -> tuple[str, str] | None:
    """The prefix and the secret of a key, or None when it does not look like one of ours."""
    found = _KEY.fullmatch(token)
    return (found[1], found[2]) if found else None


def credential_functions(schema: str) -> list[str]:
    """The function for one schema, run by its owner while it migrates; the owner's policy lets it read all tenants."""
    signature = f"{schema}.resolve_credential(text, uuid)"
    return [
        _FUNCTION.format(schema=schema),
        f"revoke all on function {signature} from public",
        f"grant execute on function {signature} to {schema}_api",
    ]


_RESOLVE = text("select * from resolve_credential(:prefix, :source)").bindparams(
    bindparam("prefix", type_=Text), bindparam("source", type_=Uuid)
)


async def api_key(db: AsyncConnection, prefix: str) -> KnownKey | None:
    """The key with this prefix, of whichever tenant; None when nobody has it."""
    found = (await db.execute(_RESOLVE, {"prefix": prefix, "source": None})).one_or_none()
    if found is None:
        return None
    scopes = frozenset(found.scopes)
    digests = found.secrets[0]
    return KnownKey(found.tenant_id, found.credential_id, digests, scopes, found.expires_at, not found.active)


async def source(db: AsyncConnection, source_id: UUID) -> KnownSource | None:
    """The webhook source with this id, of whichever tenant; None when there is none."""
    found = (await db.execute(_RESOLVE, {"prefix": None, "source": source_id})).one_or_none()
    if found is None:
        return None
    sealed = tuple(found.secrets)
    return KnownSource(found.tenant_id, found.credential_id, found.entity_id, found.purpose, sealed, found.active)
