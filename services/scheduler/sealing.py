"""The seal of a recovery file: an Ed25519 signature that anybody can check with the public key beside it.

The key follows from the installation's service secret, so every process seals alike and no key lies in a table. Another
secret changes the key; a sealed file keeps the one it was sealed with.
"""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.common.settings import Settings

PURPOSE = b"relance recovery file seal 1"


class Seal:
    """Signs manifests."""

    def __init__(self, settings: Settings) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=PURPOSE).derive(settings.service_secret)
        self._key = Ed25519PrivateKey.from_private_bytes(derived)

    @property
    def public(self) -> str:
        """The public key, its 32 bytes in base64."""
        return base64.b64encode(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def sign(self, manifest: bytes) -> str:
        """The signature of a manifest, in base64."""
        return base64.b64encode(self._key.sign(manifest)).decode()
