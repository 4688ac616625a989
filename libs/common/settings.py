"""Settings: frozen, from the environment, built once in `__main__` and passed in. Every name is in the README's table.

In development every secret has a known default; outside it a missing secret ends the start with its name.
"""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from libs.common.clock import Clock, SharedClock, SystemClock
from libs.common.errors import RelanceError

PORTS = {
    "console": 8100,
    "invoice_ingest": 8101,
    "scheduler": 8102,
    "notifier": 8103,
    "payment_matching": 8104,
}
SCHEMAS = {
    "console": "console",
    "invoice_ingest": "ingest",
    "scheduler": "scheduler",
    "notifier": "notifier",
    "payment_matching": "matching",
}
"""Service → its Postgres schema, which is also the stem of its roles: ingest_owner, ingest_api, ingest_loop."""

_DEVELOPMENT = {
    "RELANCE_API_PASSWORD": "development",
    "RELANCE_LOOP_PASSWORD": "development",
    "RELANCE_OWNER_PASSWORD": "development",
    "RELANCE_SERVICE_SECRET": "development-service-secret-of-32-bytes",
    "RELANCE_SEAL_KEYS": "dev1:" + base64.b64encode(b"relance-development-seal-key-32b").decode(),
}


class SettingMissing(RelanceError):
    """A setting that this process needs is not in its environment."""

    code = "setting_missing"


@dataclass(frozen=True)
class Settings:
    """What one process is told. URLs have no trailing slash; `seal_keys` are 32 bytes each, the first one seals."""

    environment: Literal["development", "production"]
    host: str
    database_url: str
    """postgresql://host:port/name, without a user: roles come from the service."""
    api_password: str = field(repr=False)
    loop_password: str = field(repr=False)
    owner_password: str = field(repr=False)
    admin_url: str | None = field(repr=False)
    """Only for `relance migrate`: a role that may create schemas and roles."""
    kafka: str
    kafka_tls: bool
    kafka_ca: str | None
    """A file of authorities to trust instead of the system's."""
    kafka_user: str | None
    kafka_password: str | None = field(repr=False)
    kafka_sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    service_secret: bytes = field(repr=False)
    seal_keys: Mapping[str, bytes] = field(repr=False)
    ports: Mapping[str, int]
    urls: Mapping[str, str]
    public_url: str
    clock_file: Path | None
    state: Path
    smtp_host: str
    smtp_port: int
    smtp_user: str | None
    smtp_password: str | None = field(repr=False)
    smtp_security: Literal["none", "starttls", "tls"]
    sending: Literal["catcher", "live"]

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Read RELANCE_* variables. Raises SettingMissing with the name of the first that is absent."""
        found = dict(os.environ if env is None else env)
        environment = found.get("RELANCE_ENVIRONMENT", "development")
        if environment not in ("development", "production"):
            raise SettingMissing("RELANCE_ENVIRONMENT is neither development nor production.")
        if environment == "development":
            found = _DEVELOPMENT | found
        return _read(cast(Literal["development", "production"], environment), found)

    def clock(self) -> Clock:
        """The business clock of this process: movable in development only."""
        if self.environment == "development" and self.clock_file is not None:
            return SharedClock(self.clock_file)
        return SystemClock()


def _needed(found: Mapping[str, str], name: str) -> str:
    try:
        return found[name]
    except KeyError:
        raise SettingMissing(f"{name} is not set.", remedy=f"Set {name}; see the table in README.md.") from None


def _seal_keys(text: str) -> dict[str, bytes]:
    keys = {name: base64.b64decode(key) for name, _, key in (part.partition(":") for part in text.split(","))}
    if any(len(key) != 32 for key in keys.values()):
        raise SettingMissing("RELANCE_SEAL_KEYS holds a key that is not 32 bytes in base64.")
    return keys


def _read(environment: Literal["development", "production"], found: Mapping[str, str]) -> Settings:
    local = environment == "development"
    state = Path(found.get("RELANCE_STATE", ".state")).resolve()
    base = int(found.get("RELANCE_BASE_PORT", "8100"))
    ports = {name: base + port - 8100 for name, port in PORTS.items()}
    urls = {name: found.get(f"RELANCE_{name.upper()}_URL", f"http://127.0.0.1:{port}") for name, port in ports.items()}
    clock_file = Path(found.get("RELANCE_CLOCK_FILE", state / "clock")) if local else None
    return Settings(
        environment=environment,
        host=found.get("RELANCE_HOST", "127.0.0.1" if local else "0.0.0.0"),  # noqa: S104 - inside a container
        database_url=found.get("RELANCE_DATABASE_URL", "") or _local(found, "RELANCE_DATABASE_URL", local, base, 32),
        api_password=_needed(found, "RELANCE_API_PASSWORD"),
        loop_password=_needed(found, "RELANCE_LOOP_PASSWORD"),
        owner_password=found.get("RELANCE_OWNER_PASSWORD", ""),
        admin_url=found.get("RELANCE_ADMIN_URL"),
        kafka=found.get("RELANCE_KAFKA", "") or _local(found, "RELANCE_KAFKA", local, base, 92),
        **_kafka_access(found),
        service_secret=_needed(found, "RELANCE_SERVICE_SECRET").encode(),
        seal_keys=_seal_keys(_needed(found, "RELANCE_SEAL_KEYS")),
        ports=ports,
        urls=urls,
        public_url=found.get("RELANCE_PUBLIC_URL", f"http://localhost:{ports['console']}"),
        clock_file=clock_file,
        state=state,
        smtp_host=found.get("RELANCE_SMTP_HOST", "127.0.0.1"),
        smtp_port=int(found.get("RELANCE_SMTP_PORT", str(base + 25))),
        smtp_user=found.get("RELANCE_SMTP_USER"),
        smtp_password=found.get("RELANCE_SMTP_PASSWORD"),
        smtp_security=cast(Literal["none", "starttls", "tls"], found.get("RELANCE_SMTP_SECURITY", "none")),
        sending=cast(Literal["catcher", "live"], found.get("RELANCE_SENDING", "catcher")),
    )


def _kafka_access(found: Mapping[str, str]) -> dict[str, Any]:
    """How the brokers are reached. Raises SettingMissing for half of a login or a word that is none of the known."""
    tls, sasl = found.get("RELANCE_KAFKA_TLS", "off"), found.get("RELANCE_KAFKA_SASL", "SCRAM-SHA-512")
    if tls not in ("on", "off"):
        raise SettingMissing("RELANCE_KAFKA_TLS is neither on nor off.")
    if sasl not in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        raise SettingMissing("RELANCE_KAFKA_SASL is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.")
    user = found.get("RELANCE_KAFKA_USER")
    return {
        "kafka_tls": tls == "on",
        "kafka_ca": found.get("RELANCE_KAFKA_CA"),
        "kafka_user": user,
        "kafka_password": _needed(found, "RELANCE_KAFKA_PASSWORD") if user else None,
        "kafka_sasl": sasl,
    }


def _local(found: Mapping[str, str], name: str, local: bool, base: int, offset: int) -> str:
    if not local:
        return _needed(found, name)
    address = f"127.0.0.1:{base + offset}"
    return f"postgresql://{address}/relance" if name == "RELANCE_DATABASE_URL" else address
