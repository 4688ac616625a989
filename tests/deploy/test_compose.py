"""`docker compose up` starts the same parts as `make up`, reachable from this machine alone."""

from typing import Any

from libs.common.settings import PORTS, Settings
from tests.deploy.files import ROOT, beside_python, read, run

COMPOSE = read(ROOT / "docker-compose.yml")[0]
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_the_file_is_what_compose_understands() -> None:
    run(beside_python("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_every_service_runs_on_its_port_after_the_migrations() -> None:
    for name, port in PORTS.items():
        service = SERVICES[name.replace("_", "-")]
        assert service["command"] == [name]
        assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
        assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert service["healthcheck"]["test"][-1] == str(port)


def test_the_services_find_one_another_by_their_names() -> None:
    for name, port in PORTS.items():
        settings = Settings.from_env(SERVICES[name.replace("_", "-")]["environment"])
        assert settings.urls[name] == f"http://{name.replace('_', '-')}:{port}"
        assert settings.ports[name] == port
        assert settings.smtp_port == 8125


def test_only_the_migration_holds_the_administrator() -> None:
    holders = {name for name, service in SERVICES.items() if "RELANCE_ADMIN_URL" in str(service.get("environment"))}
    assert holders == {"migrate"}


def test_nothing_is_open_to_the_network() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_image_has_a_version() -> None:
    assert all(":" in service["image"] and not service["image"].endswith(":latest") for service in SERVICES.values())
