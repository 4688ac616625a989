"""Ids that must be found again are the same for ever; clocks tell UTC and a zone's own date."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from libs.common import ids
from libs.common.clock import FixedClock, SharedClock, SystemClock, today

TENANT = UUID("00000000-0000-7000-8000-000000000001")
ENTITY = UUID("00000000-0000-7000-8000-000000000002")


def test_an_invoice_is_the_same_invoice_whoever_tells_it() -> None:
    found = ids.invoice_id(TENANT, ENTITY, "invoice", "F-42 ", 2026)
    assert found == ids.invoice_id(TENANT, ENTITY, "invoice", "F-42", 2026)
    assert found == UUID("4013f959-5578-5c6f-930a-7ab58bd3ce59")
    assert found != ids.invoice_id(TENANT, ENTITY, "credit_note", "F-42", 2026)
    assert found != ids.invoice_id(TENANT, ENTITY, "invoice", "F-42", 2025)


def test_a_reminder_does_not_depend_on_the_order_of_what_it_covers() -> None:
    pairs = [(ids.uuid7(), 1), (ids.uuid7(), 2)]
    assert ids.reminder_id(pairs) == ids.reminder_id(reversed(pairs))
    assert ids.reminder_id(pairs) != ids.reminder_id([(pairs[0][0], 2), pairs[1]])


def test_new_ids_are_version_7_and_sort_by_birth() -> None:
    born = [ids.uuid7() for _ in range(1000)]
    assert len(set(born)) == 1000
    assert {found.version for found in born} == {7}
    assert [found.int >> 80 for found in born] == sorted(found.int >> 80 for found in born)


def test_the_date_is_that_of_the_zone() -> None:
    clock = FixedClock(datetime(2026, 10, 31, 23, 30, tzinfo=UTC))
    assert today(clock, "Europe/Paris") == date(2026, 11, 1)
    assert today(clock, "America/Guadeloupe") == date(2026, 10, 31)


def test_all_who_share_a_clock_file_see_it_move(tmp_path: Path) -> None:
    mine, theirs = SharedClock(tmp_path / "clock"), SharedClock(tmp_path / "clock")
    assert abs(theirs.now() - SystemClock().now()) < timedelta(seconds=5)
    mine.move_to(datetime(2027, 3, 28, 1, tzinfo=UTC))
    assert abs(theirs.now() - datetime(2027, 3, 28, 1, tzinfo=UTC)) < timedelta(seconds=5)
