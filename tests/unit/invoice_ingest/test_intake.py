"""What becomes of what was sent, as a table: known row, what came, result."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.invoice_ingest.intake import Incoming, Known, decide

KNOWN = Known("sage", 5, b"content", b"core", cancelled=False, credit=False)
SAME = Incoming("sage", 5, b"content", b"core", cancelled=False, credit=False)
OTHER = replace(SAME, content=b"changed", core=b"moved")
VOID = replace(KNOWN, cancelled=True)

TABLE = [
    ("an unknown invoice is created", None, SAME, "created", None),
    ("a cancellation that overtakes its invoice leaves a mark", None, replace(SAME, cancelled=True), "cancelled", None),
    ("the same version and content again", KNOWN, SAME, "unchanged", None),
    ("the same version with other content", KNOWN, OTHER, "conflict", None),
    ("an older version, even with other content", KNOWN, replace(OTHER, source_version=4), "stale", None),
    ("a newer version with other content", KNOWN, replace(OTHER, source_version=6), "amended", None),
    ("a newer version that says the same", KNOWN, replace(SAME, source_version=6), "unchanged", None),
    ("no version, same content", KNOWN, replace(SAME, source_version=None), "unchanged", None),
    ("no version, other content: arrival counts", KNOWN, replace(OTHER, source_version=None), "amended", None),
    ("a newer cancellation", KNOWN, replace(SAME, source_version=6, cancelled=True), "cancelled", None),
    ("a cancellation under a version that was something else", KNOWN, replace(SAME, cancelled=True), "conflict", None),
    ("a second source that agrees", KNOWN, replace(SAME, source="dms", content=b"more words"), "unchanged", None),
    ("a second source that does not", KNOWN, replace(OTHER, source="dms"), "quarantined", "second_source"),
    (
        "a second source that cancels",
        KNOWN,
        replace(SAME, source="dms", cancelled=True),
        "quarantined",
        "second_source",
    ),
    ("an invoice that turns into a credit", KNOWN, replace(OTHER, credit=True), "quarantined", "sign_changed"),
    ("a cancelled invoice told again", VOID, replace(OTHER, source_version=None), "cancelled", None),
    ("a late copy of a cancelled invoice", VOID, replace(OTHER, source_version=4), "stale", None),
    ("a cancelled invoice revived", VOID, replace(OTHER, source_version=6), "quarantined", "was_cancelled"),
    ("a cancellation again", VOID, replace(SAME, cancelled=True), "cancelled", None),
]


@pytest.mark.parametrize(("fact", "known", "incoming", "result", "reason"), TABLE, ids=[row[0] for row in TABLE])
def test_the_known_row_and_what_came_decide(
    fact: str, known: Known | None, incoming: Incoming, result: str, reason: str | None
) -> None:
    decision = decide(known, incoming)
    assert (decision.result, decision.reason) == (result, reason)


def test_a_person_may_release_what_a_second_source_said() -> None:
    assert decide(KNOWN, replace(OTHER, source="dms"), released=True).result == "amended"
    assert decide(VOID, replace(OTHER, source_version=6), released=True).result == "amended"


def test_a_newer_version_that_says_the_same_still_moves_the_version_on() -> None:
    assert decide(KNOWN, replace(SAME, source_version=6)).moves_on
    assert not decide(KNOWN, SAME).moves_on


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12))
def test_whatever_the_order_of_versions_the_highest_one_is_what_stands(arrivals: list[int]) -> None:
    known: Known | None = None
    for version in arrivals:
        told = f"content {version}".encode()
        incoming = Incoming("sage", version, told, told, cancelled=version == 6, credit=False)
        decision = decide(known, incoming)
        assert decision.result != "quarantined" or (known is not None and known.cancelled)
        if decision.result in ("created", "amended", "cancelled"):
            known = Known("sage", version, told, told, cancelled=incoming.cancelled, credit=False)
    assert known is not None
    assert known.source_version == max(arrivals)
