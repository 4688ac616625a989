"""The manifests are valid, every pod is hardened, and topics, groups and routes are those of the code."""

from typing import Any

import kubernetes_validate
import pytest

from libs.common.events import COMPACTED, HEARD, OWNERS, PARTITIONS
from libs.common.settings import PORTS
from tests.deploy.files import K8S, built, read

OURS = ("v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1")
NAMES = {name.replace("_", "-"): name for name in PORTS}
FOLDERS = ("overlays/dev", "overlays/prod", "platform")


def of_kind(documents: tuple[dict[str, Any], ...] | list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [document for document in documents if document["kind"] == kind]


@pytest.mark.parametrize("file", sorted(K8S.rglob("*.yaml")), ids=lambda file: str(file.relative_to(K8S)))
def test_a_manifest_is_yaml_with_kind_and_version(file: Any) -> None:
    assert all(document["apiVersion"] and document["kind"] for document in read(file))


PARTS = [file for folder in ("base", "platform", "components", "overlays") for file in (K8S / folder).rglob("*.yaml")]


@pytest.mark.parametrize("file", sorted(PARTS), ids=lambda file: str(file.relative_to(K8S)))
def test_a_part_is_valid_before_anything_is_built(file: Any) -> None:
    for document in read(file):
        if document["apiVersion"] in OURS and "patches" not in file.parts:
            kubernetes_validate.validate(document, "1.34", strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_built_is_valid(folder: str) -> None:
    for document in built(folder):
        if document["apiVersion"] in OURS:
            kubernetes_validate.validate(document, "1.34", strict=True)


@pytest.mark.parametrize("folder", ["overlays/dev", "overlays/prod"])
def test_every_pod_is_hardened_and_bounded(folder: str) -> None:
    pods = [
        workload["spec"]["template"]["spec"]
        for kind in ("Deployment", "Job")
        for workload in of_kind(built(folder), kind)
    ]
    assert len(pods) >= 2 * len(PORTS) + 1
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert {"memory"} <= set(container["resources"]["limits"])


def test_every_service_has_doors_and_work_with_probes_and_a_disruption_budget() -> None:
    documents = built("overlays/prod")
    deployments = {document["metadata"]["name"]: document for document in of_kind(documents, "Deployment")}
    budgets = {document["metadata"]["name"] for document in of_kind(documents, "PodDisruptionBudget")}
    wanted = {f"{name}-{role}" for name in NAMES for role in ("doors", "work")}
    assert set(deployments) == wanted == budgets
    for name, only in (
        (f"{service}-{role}", only) for service in NAMES for role, only in (("doors", "http"), ("work", "work"))
    ):
        (container,) = deployments[name]["spec"]["template"]["spec"]["containers"]
        service = NAMES[name.rpartition("-")[0]]
        assert container["args"] == [service, "--only", only]
        assert container["ports"] == [{"name": "http", "containerPort": PORTS[service]}]
        assert container["readinessProbe"]["httpGet"]["path"] == "/healthz/ready"
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz/live"


def test_a_pod_may_drain_longer_than_a_service_needs() -> None:
    from libs.common.runtime import ANSWERS_SECONDS, LOOPS_SECONDS, NOTICE_SECONDS

    for document in of_kind(built("overlays/prod"), "Deployment"):
        grace = document["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace > NOTICE_SECONDS + ANSWERS_SECONDS + LOOPS_SECONDS


def test_nothing_goes_in_or_out_unless_named() -> None:
    policies = {document["metadata"]["name"]: document["spec"] for document in read(K8S / "base" / "network.yaml")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    world = [name for name, spec in policies.items() if any("to" not in way for way in spec.get("egress", ()))]
    assert world == ["mail"]
    (webhooks,) = policies["outgoing-webhooks"]["egress"]
    assert "169.254.0.0/16" in webhooks["to"][0]["ipBlock"]["except"]


def test_the_topics_are_those_of_the_code() -> None:
    topics = {document["metadata"]["name"]: document["spec"] for document in read(K8S / "platform" / "topics.yaml")}
    assert set(topics) == set(OWNERS)
    for name, spec in topics.items():
        assert spec["partitions"] == PARTITIONS
        assert spec["replicas"] == 3
        assert spec["config"]["min.insync.replicas"] == 2
        assert (spec["config"].get("cleanup.policy") == "compact") == (name in COMPACTED)
        assert (spec["config"].get("retention.ms") == -1) == (name not in COMPACTED)


def test_loops_grow_with_the_lag_of_the_topics_that_their_service_hears() -> None:
    for document in read(K8S / "components" / "keda" / "scaled.yaml"):
        service = NAMES[document["spec"]["scaleTargetRef"]["name"].removesuffix("-work")]
        triggers = [trigger["metadata"] for trigger in document["spec"]["triggers"]]
        assert {trigger["topic"] for trigger in triggers} == HEARD[service]
        assert {trigger["consumerGroup"] for trigger in triggers} == {f"relance.{service}"}
        assert document["spec"]["maxReplicaCount"] == PARTITIONS


def test_the_broker_never_elects_a_leader_that_lacks_records() -> None:
    (kafka,) = of_kind(read(K8S / "platform" / "kafka.yaml"), "Kafka")
    config = kafka["spec"]["kafka"]["config"]
    assert config["unclean.leader.election.enable"] is False
    assert config["min.insync.replicas"] == 2
    assert config["auto.create.topics.enable"] is False


def test_a_commit_is_on_two_disks() -> None:
    (cluster,) = of_kind(read(K8S / "platform" / "postgres.yaml"), "Cluster")
    assert cluster["spec"]["postgresql"]["synchronous"]["dataDurability"] == "required"
    assert cluster["spec"]["instances"] == 3


def test_only_the_migration_holds_the_administrator() -> None:
    holders = [
        document["metadata"]["name"]
        for document in built("overlays/prod")
        if "relance-owner" in str(document.get("spec", {}).get("template", {}))
    ]
    assert holders == ["relance-migrate"]
