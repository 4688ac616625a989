"""From outside, every documented path leads to the service that answers it, and what is internal leads nowhere."""

import json
from typing import Any

import pytest

from tests.deploy.files import K8S, ROOT, read

INGRESS, _NOWHERE = read(K8S / "components" / "ingress" / "ingress.yaml")
PATHS: list[dict[str, Any]] = INGRESS["spec"]["rules"][0]["http"]["paths"]


def leads_to(path: str) -> str:
    """The service of the longest prefix, as an ingress chooses: whole segments only."""
    fitting = [rule for rule in PATHS if (path.rstrip("/") + "/").startswith(rule["path"].rstrip("/") + "/")]
    return str(max(fitting, key=lambda rule: len(rule["path"]))["backend"]["service"]["name"])


def test_every_documented_path_leads_to_its_service() -> None:
    documented = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    owners = {path: next(iter(ways.values()))["tags"][0].replace("_", "-") for path, ways in documented.items()}
    assert owners
    assert {path: owner for path, owner in owners.items() if leads_to(path) != owner} == {}


@pytest.mark.parametrize("path", ["/internal/v1/permits", "/healthz/ready", "/metrics"])
def test_what_is_internal_leads_nowhere(path: str) -> None:
    assert leads_to(path) == "nowhere"


@pytest.mark.parametrize("path", ["/", "/login", "/metrics-of-the-month", "/v1/directory/entities"])
def test_the_rest_is_the_console(path: str) -> None:
    assert leads_to(path) == "console"
