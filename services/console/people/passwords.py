"""Passwords: argon2id, at least 15 characters, any characters, pasted or typed (NIST SP 800-63B, OWASP ASVS 6.2).

Hashing takes a tenth of a second on purpose, so it happens in a thread and never inside a transaction.
"""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from services.console.errors import PasswordTooWeak

LEAST = 15
MOST = 200
_WORDS = "abcdefghijkmnpqrstuvwxyz23456789"


class Passwords:
    """Keeps and compares. `nobody` is the hash of a password that nobody has: an unknown account costs the same."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self.hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self.nobody = self.hasher.hash(secrets.token_urlsafe(32))

    async def keep(self, password: str) -> str:
        """The hash to keep."""
        return await asyncio.to_thread(self.hasher.hash, password)

    async def fits(self, password: str, kept: str | None) -> bool:
        """Whether this is the password; with None it takes as long and is false."""
        right = await asyncio.to_thread(self._fits, password, kept or self.nobody)
        return right and kept is not None

    def _fits(self, password: str, kept: str) -> bool:
        try:
            return self.hasher.verify(kept, password)
        except (VerifyMismatchError, InvalidHashError):
            return False


def check(password: str, *about: str) -> None:
    """Refuse what is short, endless, one letter again and again, or made of the account's own name or address."""
    if len(password) < LEAST:
        raise PasswordTooWeak(f"It has {len(password)} characters; {LEAST} are needed.", field="password")
    if len(password) > MOST:
        raise PasswordTooWeak(f"It has more than {MOST} characters.", field="password")
    bare = password.casefold()
    if len(set(bare)) < 5 or any(part and bare.replace(part.casefold(), "") < " " for part in about):
        raise PasswordTooWeak(field="password")


def new_password() -> str:
    """A password for a first sign-in: five groups of four that are easy to read out."""
    return "-".join("".join(secrets.choice(_WORDS) for _ in range(4)) for _ in range(5))
