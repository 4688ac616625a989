"""Secrets at rest and on topics: AES-256-GCM under a named key, so that a stolen row or topic opens nothing.

A sealed text reads `<key id>.<base64url of nonce, ciphertext and tag>`. Two keys may live at once: the first one
seals, both open, so keys are changed by putting the new one first and dropping the old one once all is sealed again.
"""

import base64
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.common.errors import RelanceError

NONCE = 12


class SealBroken(RelanceError):
    """A sealed secret cannot be opened: it was altered, or it was sealed with a key that is not configured."""

    code = "seal_broken"
    remedy = "Put the key that sealed it back into RELANCE_SEAL_KEYS, after the present one."


def seal(keys: Mapping[str, bytes], text: str) -> str:
    """Seal with the first key. The key's id is authenticated too, so it cannot be exchanged."""
    name, key = next(iter(keys.items()))
    nonce = os.urandom(NONCE)
    closed = AESGCM(key).encrypt(nonce, text.encode(), name.encode())
    return f"{name}.{base64.urlsafe_b64encode(nonce + closed).decode()}"


def unseal(keys: Mapping[str, bytes], sealed: str) -> str:
    """Open what `seal` closed. Raises SealBroken, which never says what was inside."""
    name, _, rest = sealed.partition(".")
    key = keys.get(name)
    if key is None:
        raise SealBroken(f"No key {name[:20]!r} is configured.")
    try:
        raw = base64.b64decode(rest, altchars=b"-_", validate=True)
        return AESGCM(key).decrypt(raw[:NONCE], raw[NONCE:], name.encode()).decode()
    except (InvalidTag, ValueError):
        raise SealBroken("The sealed text was altered.") from None
