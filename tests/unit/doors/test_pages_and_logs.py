"""Cursors that cannot be made up, log lines that tell no secrets, traces that go on."""

import io
import json
import logging
from datetime import UTC, date, datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from libs.common import logs, tracing
from libs.common.ids import uuid7
from libs.common.paging import InvalidCursor, cursor, cut, place
from libs.common.settings import Settings

SETTINGS = Settings.from_env({})


def test_a_cursor_gives_back_the_place_with_its_types() -> None:
    where = [uuid7(), date(2026, 11, 22), datetime(2026, 11, 22, 5, tzinfo=UTC), "Dupont & fils", 12, None]
    assert place(SETTINGS, "invoices", cursor(SETTINGS, "invoices", *where)) == where


def test_a_cursor_of_one_list_is_not_taken_by_another() -> None:
    with pytest.raises(InvalidCursor):
        place(SETTINGS, "payments", cursor(SETTINGS, "invoices", 1))


@given(st.text(max_size=80))
def test_a_cursor_that_was_made_up_is_refused(shown: str) -> None:
    with pytest.raises(InvalidCursor):
        place(SETTINGS, "invoices", shown)


def test_the_first_page_has_no_cursor() -> None:
    assert place(SETTINGS, "invoices", None) is None


def test_a_page_tells_its_last_row_only_if_there_is_more() -> None:
    assert cut([1, 2, 3], 2) == ([1, 2], 2)
    assert cut([1, 2], 2) == ([1, 2], None)


@pytest.fixture
def written() -> io.StringIO:
    """What is logged during the test, with the logging of the test run put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    before = (root.handlers, root.level)
    logs.configure("console", stream=stream)
    yield stream
    root.handlers, _ = before[0], root.setLevel(before[1])
    structlog.reset_defaults()


def test_a_line_is_json_with_service_and_context(written: io.StringIO) -> None:
    with logs.about(tenant="t-1"):
        logs.logger().info("batch handled", events=3)
    line = json.loads(written.getvalue())
    assert (line["event"], line["events"], line["service"], line["tenant"]) == ("batch handled", 3, "console", "t-1")


@pytest.mark.parametrize(
    "secret",
    ["anna@example.com", "FR7630006000011234567890189", "rk_live_abcdefgh_" + "x" * 43, "whsec_c2VjcmV0", "hunter2"],
)
def test_what_looks_like_a_secret_or_a_person_is_masked(written: io.StringIO, secret: str) -> None:
    log = logs.logger()
    log.info(
        f"seen {secret}" if secret != "hunter2" else "seen",
        password=secret,
        deep={"note": [f"x {secret}"] if secret != "hunter2" else []},
    )
    logging.getLogger("elsewhere").warning("seen postgresql://api:%s@host/db", secret)
    assert secret not in written.getvalue()


def test_amounts_and_names_are_not_logged_at_info(written: io.StringIO) -> None:
    logs.logger().info("allocated", amount="1250.00", name="Dupont")
    assert "1250" not in written.getvalue()
    assert "Dupont" not in written.getvalue()


def test_an_error_is_one_line_with_its_trace(written: io.StringIO) -> None:
    try:
        raise ValueError("for anna@example.com")
    except ValueError as error:
        logs.logger().error("failed", exc_info=error)
    line = json.loads(written.getvalue())
    assert "ValueError" in line["exception"]
    assert "anna@example.com" not in written.getvalue()


def test_a_trace_goes_on_from_its_header() -> None:
    header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with tracing.within(header):
        assert tracing.traceparent() == header
        assert tracing.trace_id() == "0af7651916cd43dd8448eb211c80319c"
    assert tracing.traceparent() is None


@pytest.mark.parametrize("header", [None, "", "00-" + "0" * 32 + "-" + "0" * 16 + "-00", "ff-x", "00-é"])
def test_a_trace_begins_afresh_without_a_usable_header(header: str | None) -> None:
    with tracing.within(header):
        assert tracing.traceparent() not in (None, header)
