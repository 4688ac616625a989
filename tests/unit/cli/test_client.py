"""Commands that talk to services keep what a service said, and say how to reach one that is silent."""

from pathlib import Path
from uuid import UUID

import httpx
import pytest

from libs.common.cli.client import Client, Credentials, CredentialsMissing, credentials_file, keep_credentials, refusal
from libs.common.errors import Forbidden, NotFound, RelanceError, Unauthenticated, Unavailable
from libs.common.settings import Settings

TENANT = "01a201b7-d83f-720c-a34b-a375c077fbc9"


def _settings(state: Path) -> Settings:
    return Settings.from_env({"RELANCE_STATE": str(state), "RELANCE_BASE_PORT": "1"})


def test_a_problem_keeps_its_code_field_and_remedy() -> None:
    body = {"code": "version_conflict", "detail": "Sent before.", "field": "version", "remedy": "Raise it."}
    error = refusal(httpx.Response(409, json=body))
    assert (error.detail, error.field, error.remedy_text) == ("Sent before. [version_conflict]", "version", "Raise it.")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (429, Unavailable),
        (503, Unavailable),
        (500, RelanceError),
    ],
)
def test_the_status_gives_the_kind(status: int, kind: type[RelanceError]) -> None:
    assert type(refusal(httpx.Response(status, content=b"<html>"))) is kind
    assert type(refusal(httpx.Response(status, json=["no problem"]))) is kind


def test_a_service_that_is_silent_says_how_to_start_it(tmp_path: Path) -> None:
    client = Client.with_key(_settings(tmp_path), "rk_test_some")
    with pytest.raises(Unavailable) as silent:
        client.get("scheduler", "/v1/cases")
    assert "scheduler does not answer" in silent.value.detail
    assert "make up" in silent.value.remedy_text


def test_without_a_key_the_credentials_of_the_state_folder_are_used(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with pytest.raises(CredentialsMissing):
        Client.with_key(settings, None)
    keep_credentials(settings, {"tenant_id": TENANT, "api_key": "rk_test_one", "login": "a@b.fr"})
    keep_credentials(settings, {"api_key": "rk_test_two"})
    assert Credentials.read(settings) == Credentials(UUID(TENANT), "rk_test_two")
    assert credentials_file(settings).stat().st_mode & 0o077 == 0
