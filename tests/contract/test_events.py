"""The events are a promise to integrators: samples are frozen, schemas are current, unknown fields are ignored."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from libs.common.events import OWNERS, TYPES, event, headers
from libs.common.events.asyncapi import main, name_of, schema

SAMPLES = Path(__file__).parent / "samples"
AT = datetime(2026, 10, 31, 8, 30, tzinfo=UTC)


def test_the_generated_documents_are_current() -> None:
    assert main(["--check"]) == 0


def test_every_type_has_a_frozen_sample_and_no_sample_lost_its_type() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == {name_of(body) for body in TYPES.values()}


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_frozen_sample_is_read_and_written_again_with_nothing_lost(name: str) -> None:
    body = TYPES[name]
    told = json.loads((SAMPLES / f"{name_of(body)}.json").read_text("utf-8"))
    read = body.model_validate(told)
    written = read.model_dump(mode="json")
    assert _of_then(written, told) == told
    jsonschema.validate(read.model_dump(mode="json"), schema(body))


def _of_then(written: Any, told: Any) -> Any:
    """What is written, without the fields that came later, in every part of it."""
    if isinstance(told, dict):
        return {name: _of_then(written[name], each) for name, each in told.items()}
    if isinstance(told, list) and len(written) == len(told):
        return [_of_then(one, other) for one, other in zip(written, told, strict=True)]
    return written


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_field_that_a_newer_writer_added_is_ignored(name: str) -> None:
    body = TYPES[name]
    told = json.loads((SAMPLES / f"{name_of(body)}.json").read_text("utf-8"))
    assert body.model_validate(told | {"from_the_future": {"x": 1}}) == body.model_validate(told)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_the_envelope_names_topic_subject_tenant_and_key(name: str) -> None:
    body = TYPES[name]
    read = body.model_validate_json((SAMPLES / f"{name_of(body)}.json").read_text("utf-8"))
    it = event(read, AT)
    told = headers(it, OWNERS[read.topic], AT)
    assert told["ce_type"] == f"relance.{name}.v1"
    assert told["ce_subject"] == str(read.subject)
    assert told["ce_tenantid"] == str(read.tenant_id)
    assert it.key.startswith(str(read.tenant_id) + ":")


def test_no_event_but_the_debtors_carries_a_name_or_an_address() -> None:
    personal = {"email", "phone", "contacts", "ibans"}
    ours = {"EntityConfigured", "BankDetailsApproved", "TenantConfigured"}
    told = {name for name, body in TYPES.items() if personal & set(body.model_fields)}
    assert told - ours == {"DebtorChanged"}
