"""Ids that travel through the world and come back signed: in bounce addresses and in the links of notices.

Lower-case letters and digits only, since mail servers change the case of addresses.
"""

import base64
import binascii
import hashlib
import hmac
from uuid import UUID

_MARK = 8
_MOST = 96


class Signed:
    """Signs lists of `count` ids for one purpose."""

    def __init__(self, secret: bytes, purpose: str, count: int) -> None:
        self._secret = hashlib.sha256(f"relance {purpose} token".encode() + secret).digest()
        self._bytes = 16 * count

    def make(self, *ids: UUID) -> str:
        """Letters and digits: 39 for one id, 64 for two."""
        raw = b"".join(each.bytes for each in ids)
        return base64.b32encode(raw + self._mark(raw)).decode().rstrip("=").lower()

    def read(self, token: str) -> tuple[UUID, ...] | None:
        """The ids it was made for, or None for anything else."""
        if len(token) > _MOST or not token.isascii():
            return None
        try:
            raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        except binascii.Error:
            return None
        ids, mark = raw[: self._bytes], raw[self._bytes :]
        if len(ids) != self._bytes or not hmac.compare_digest(mark, self._mark(ids)):
            return None
        return tuple(UUID(bytes=ids[start : start + 16]) for start in range(0, self._bytes, 16))

    def _mark(self, raw: bytes) -> bytes:
        return hmac.digest(self._secret, raw, "sha256")[:_MARK]


class Tokens:
    """Signs delivery ids in bounce addresses, so that nobody can make our bounces up."""

    def __init__(self, secret: bytes) -> None:
        self._signed = Signed(secret, "bounce", 1)

    def make(self, delivery_id: UUID) -> str:
        """39 lower-case letters and digits."""
        return self._signed.make(delivery_id)

    def read(self, token: str) -> UUID | None:
        """The delivery it was made for, or None for anything else."""
        found = self._signed.read(token)
        return found[0] if found else None

    def return_path(self, delivery_id: UUID, domain: str) -> str:
        return f"bounce+{self.make(delivery_id)}@{domain}"


class Links:
    """The link of a mail to the invoice copies that it could not carry."""

    def __init__(self, secret: bytes, public_url: str) -> None:
        self._signed = Signed(secret, "copies", 2)
        self._base = public_url.rstrip("/")

    def make(self, tenant: UUID, delivery_id: UUID, language: str) -> str:
        """The whole address. The digit before the token keeps it from looking like an account number."""
        return f"{self._base}/copies/1{self._signed.make(tenant, delivery_id)}?language={language}"

    def read(self, token: str) -> tuple[UUID, UUID] | None:
        """The tenant and the delivery of the token of such an address, or None for anything else."""
        found = self._signed.read(token[1:]) if token.startswith("1") else None
        return (found[0], found[1]) if found else None
