"""How commands talk to the services: HTTP with an API key, or as the administrator of a development stack.

The rule it protects: a refusal keeps its code, field and remedy, and a service that is not there says how to start it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
import typer

from libs.common.errors import Forbidden, NotFound, RelanceError, Unauthenticated, Unavailable
from libs.common.settings import Settings

ApiKey = Annotated[
    str | None, typer.Option("--api-key", envvar="RELANCE_API_KEY", help="Without it, the development stack's own key.")
]
_SECONDS = 120.0
_KINDS: Mapping[int, type[RelanceError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
}


class CredentialsMissing(Unauthenticated):
    """No API key was given and this folder has no development credentials."""

    code = "credentials_missing"
    remedy = "Pass --api-key or set RELANCE_API_KEY; `relance apikey issue` makes one."


@dataclass(frozen=True)
class Credentials:
    """What `make demo` and `relance tenant create` leave in the state folder."""

    tenant_id: UUID
    api_key: str

    @classmethod
    def read(cls, settings: Settings) -> "Credentials":
        """Raises CredentialsMissing when there are none."""
        try:
            found = json.loads(credentials_file(settings).read_text())
        except FileNotFoundError:
            raise CredentialsMissing from None
        return cls(UUID(found["tenant_id"]), found["api_key"])


def credentials_file(settings: Settings) -> Path:
    """Where the credentials of a development stack are kept; only its owner may read it."""
    return settings.state / "credentials.json"


def keep_credentials(settings: Settings, facts: Mapping[str, str]) -> None:
    """Write `tenant_id`, `api_key`, `login`, `password` and the like for later commands; known ones stay."""
    file = credentials_file(settings)
    known = json.loads(file.read_text()) if file.exists() else {}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps(known | dict(facts), indent=2) + "\n")


class Client:
    """One caller of the services. `bearer` gives, at each request, the credential that one service is shown."""

    def __init__(self, settings: Settings, bearer: Callable[[str], str]) -> None:
        self._settings = settings
        self._bearer = bearer

    @classmethod
    def with_key(cls, settings: Settings, api_key: str | None) -> "Client":
        """A client with this API key, else with the development stack's."""
        key = api_key or Credentials.read(settings).api_key
        return cls(settings, lambda _: key)

    @classmethod
    def administrator(cls, settings: Settings, tenant: UUID) -> "Client":
        """A client that acts as an administrator of this tenant, for those who hold the service secret."""
        token = import_module("libs.common.auth").service_token

        def bearer(service: str) -> str:
            made: str = token(settings, audience=service, tenant=tenant, subject="cli", roles=("administrator",))
            return made

        return cls(settings, bearer)

    def get(self, service: str, path: str, **params: Any) -> Any:
        """The JSON answer of a GET; `params` that are None are left out."""
        return self.request("GET", service, path, params={k: v for k, v in params.items() if v is not None})

    def post(self, service: str, path: str, body: Any = None, **more: Any) -> Any:
        """The JSON answer of a POST of JSON; `more` goes to httpx (`content`, `headers`, `params`, `files`)."""
        return self.request("POST", service, path, **({"json": body} if body is not None else {}), **more)

    def put(self, service: str, path: str, body: Any, **more: Any) -> Any:
        """The JSON answer of a PUT of JSON."""
        return self.request("PUT", service, path, json=body, **more)

    def delete(self, service: str, path: str, **more: Any) -> Any:
        """The JSON answer of a DELETE, None if it has no body."""
        return self.request("DELETE", service, path, **more)

    def text(self, service: str, path: str) -> str:
        """The answer of a GET as text."""
        return self.content(service, path).decode()

    def content(self, service: str, path: str) -> bytes:
        """The answer of a GET as bytes."""
        found: bytes = self.request("GET", service, path, as_bytes=True)
        return found

    def request(self, method: str, service: str, path: str, **more: Any) -> Any:
        """Any request. Raises the error that the service answered, or Unavailable if none answered."""
        headers = {"authorization": f"Bearer {self._bearer(service)}"} | dict(more.pop("headers", {}))
        return answered(method, self._settings.urls[service] + path, service, headers=headers, **more)


def answered(method: str, url: str, service: str, *, as_bytes: bool = False, **more: Any) -> Any:
    """One request without credentials of its own: for signed webhooks. Returns JSON or bytes; None without a body."""
    try:
        response = httpx.request(method, url, timeout=_SECONDS, **more)
    except httpx.TransportError as error:
        raise Unavailable(
            f"{service} does not answer at {httpx.URL(url).copy_with(raw_path=b'/')}: {type(error).__name__}.",
            remedy=f"Start the stack with `make up`, or set RELANCE_{service.upper()}_URL.",
        ) from None
    if response.is_error:
        raise refusal(response)
    if as_bytes:
        return response.content
    return response.json() if response.content else None


def refusal(response: httpx.Response) -> RelanceError:
    """The error that a problem+json answer stands for, with its field and remedy."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    kind = _KINDS.get(response.status_code, RelanceError)
    detail = str(body.get("detail") or f"The service answered {response.status_code}.")
    code = body.get("code")
    return kind(f"{detail} [{code}]" if code else detail, field=body.get("field"), remedy=str(body.get("remedy", "")))
