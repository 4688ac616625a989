"""Dashboards and alerts speak of metrics that the code has."""

import json
import re
from collections.abc import Iterator

import pytest

from libs.common import metrics
from libs.common.settings import PORTS
from tests.deploy.files import K8S, OBSERVABILITY, ROOT, found, read, run

RULES = OBSERVABILITY / "prometheus" / "rules.yml"
DASHBOARD = json.loads((OBSERVABILITY / "grafana" / "dashboards" / "relance.json").read_text())


def catalogue() -> set[str]:
    """Every sample name that the catalogue can expose."""
    found: set[str] = set()
    for value in vars(metrics).values():
        name = getattr(value, "_name", None)
        if isinstance(name, str) and name.startswith("relance_"):
            found |= {name} | {f"{name}_{suffix}" for suffix in ("total", "bucket", "count", "sum")}
    return found


def expressions() -> Iterator[str]:
    for group in read(RULES)[0]["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def test_every_metric_of_a_panel_or_an_alert_is_in_the_catalogue() -> None:
    used = {name for expression in expressions() for name in re.findall(r"relance_\w+", expression)}
    assert used
    assert used - catalogue() == set()


def test_every_metric_of_the_catalogue_is_told_by_some_code() -> None:
    names = {name for name, value in vars(metrics).items() if str(getattr(value, "_name", "")).startswith("relance_")}
    code = [file.read_text() for room in ("libs", "services") for file in (ROOT / room).rglob("*.py")]
    told = {word for text in code if "relance_<noun>_<unit>" not in text for word in re.findall(r"[A-Z_]{4,}", text)}
    assert names - told == set()


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    for group in read(RULES)[0]["groups"]:
        for rule in group["rules"]:
            assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
            assert rule["labels"]["severity"] in ("page", "ticket")


def test_kubernetes_has_the_same_alerts() -> None:
    (wrapped,) = read(K8S / "components" / "monitoring" / "rules.yaml")
    assert wrapped["spec"]["groups"] == read(RULES)[0]["groups"]


def test_prometheus_looks_at_every_service() -> None:
    (config,) = read(OBSERVABILITY / "prometheus" / "prometheus.yml")
    (job,) = config["scrape_configs"]
    seen = {(group["labels"]["service"], target) for group in job["static_configs"] for target in group["targets"]}
    assert seen == {(name, f"{name.replace('_', '-')}:{port}") for name, port in PORTS.items()}


@pytest.mark.parametrize("check", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")])
def test_prometheus_accepts_it(check: tuple[str, str, str]) -> None:
    promtool = found("promtool", "the syntax of the alerts and their two tests are not checked")
    run(promtool, check[0], check[1], OBSERVABILITY / "prometheus" / check[2])
