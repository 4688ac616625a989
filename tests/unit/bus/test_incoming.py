"""What a record says, and what becomes of one that says nothing readable."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest

from libs.common.events import Event, event, headers
from libs.common.events.directory import TenantConfigured
from libs.common.ids import uuid7
from libs.common.inbox import month_of
from libs.common.incoming import Record, UnknownVersion, read
from libs.common.tables import NOBODY

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HEARD = {"TenantConfigured": TenantConfigured}


def told() -> Event:
    tenant = uuid7()
    return event(TenantConfigured(tenant_id=tenant, version=3, directory_version=9, name="Moulins"), NOW)


def record(it: Event, body: bytes | None = b"", changed: Mapping[str, str] | None = None) -> Record:
    attributes = headers(it, "console", NOW) | (changed or {})
    written = it.body.model_dump_json().encode() if body == b"" else body
    return Record("relance.directory", 4, 17, it.key.encode(), attributes, written)


def test_a_record_is_read_as_the_event_that_was_recorded() -> None:
    it = told()
    found = read(record(it), HEARD, NOW)
    assert found is not None and found.event == it
    assert (found.event_id, found.tenant, found.month) == (it.id, it.tenant, date(2026, 11, 1))
    assert found.lane == ("relance.directory", it.key.encode())


def test_the_cause_and_the_trace_travel_with_the_event() -> None:
    cause = told()
    effect = event(cause.body, NOW, cause=cause)
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    found = read(record(effect, changed={"traceparent": trace}), HEARD, NOW)
    assert found is not None and found.event is not None
    assert (found.event.causation, found.event.correlation) == (cause.id, cause.id)
    assert found.event.traceparent == trace


def test_fields_that_a_newer_writer_added_are_passed_over() -> None:
    it = told()
    body = it.body.model_dump_json().replace("{", '{"added": 1, ', 1).encode()
    found = read(record(it, body), HEARD, NOW)
    assert found is not None and found.event == it


@pytest.mark.parametrize("changed", [{"ce_type": "relance.PaymentReceived.v1"}, {"ce_type": "relance.NoSuch.v3"}])
def test_a_type_that_is_not_heard_is_not_for_us(changed: dict[str, str]) -> None:
    assert read(record(told(), changed=changed), HEARD, NOW) is None


def test_an_erased_key_is_not_for_us() -> None:
    assert read(record(told(), body=None), HEARD, NOW) is None


def test_a_version_that_is_not_known_is_told_apart_from_garbage() -> None:
    with pytest.raises(UnknownVersion):
        read(record(told(), changed={"ce_type": "relance.TenantConfigured.v2"}), HEARD, NOW)


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (b"\xff\xfe", {}),
        (b"{}", {}),
        (b"[1]", {}),
        (b"", {"ce_id": "not-an-id"}),
        (b"", {"ce_time": "yesterday"}),
        (b"", {"ce_tenantid": str(uuid7())}),
        (b"", {"ce_type": "InvoiceIssued"}),
        (b"", {"ce_type": ""}),
    ],
)
def test_what_cannot_be_read_says_why_and_keeps_its_place(body: bytes, changed: dict[str, str]) -> None:
    found = read(record(told(), body, changed), HEARD, NOW)
    assert found is not None and found.event is None
    assert found.error is not None and found.error.detail


def test_an_unreadable_record_is_known_again_by_its_place_and_bytes() -> None:
    garbage = Record("t", 1, 5, b"k", {}, b"?")
    first, again = read(garbage, HEARD, NOW), read(garbage, HEARD, NOW + timedelta(days=90))
    other = read(Record("t", 1, 6, b"k", {}, b"?"), HEARD, NOW)
    assert first is not None and again is not None and other is not None
    assert first.event_id == again.event_id != other.event_id
    assert first.tenant == NOBODY


def test_the_reason_shows_no_values() -> None:
    it = told()
    body = it.body.model_dump_json().replace('"version":3', '"version":"anne@example.org"').encode()
    found = read(record(it, body), HEARD, NOW)
    assert found is not None and found.error is not None
    assert "version" in found.error.detail and "anne" not in found.error.detail


@pytest.mark.parametrize(
    ("recorded", "month"),
    [
        (datetime(2026, 11, 1, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(2025, 12, 31, 23, 59, tzinfo=UTC), date(2025, 12, 1)),
        (datetime(2024, 2, 29, tzinfo=UTC), date(2025, 9, 1)),
        (datetime(2031, 1, 1, tzinfo=UTC), date(2027, 2, 1)),
    ],
)
def test_an_event_is_remembered_under_the_month_of_its_recording_as_far_as_there_are_months(
    recorded: datetime, month: date
) -> None:
    assert month_of(recorded, NOW) == month
