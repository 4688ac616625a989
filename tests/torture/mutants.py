"""Faults that an engineer could make, planted one at a time: `pytest -p tests.torture.mutants --plant NAME …`.

Each takes away one thing that a promise rests on; the tests that protect the promise must find it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import and_

from libs.common.permits import LEASE_SECONDS, Permit, boottime
from libs.common.sets import given
from services.invoice_ingest import intake
from services.notifier.channels.smtp import Outcome
from services.notifier.dispatch.job import Job
from services.notifier.dispatch.recording import Recorder
from services.notifier.store.deliveries import Claim, Conclusion
from services.notifier.tables import delivery

_concluded = Recorder._conclusion


@dataclass(frozen=True)
class Mutant:
    """`place` (module:name) is replaced by `instead`; the test `found_by` must fail then."""

    place: str
    instead: Callable[..., Any]
    found_by: str

    def plant(self) -> None:
        module, _, path = self.place.partition(":")
        *owners, name = path.split(".")
        owner: Any = import_module(module)
        for each in owners:
            owner = getattr(owner, each)
        assert hasattr(owner, name), self.place
        setattr(owner, name, self.instead)


async def _all_new(_db: object, _consumer: str, arrived: Iterable[Any]) -> set[UUID]:
    return {one.event_id for one in arrived}


async def _at_once(*_: object) -> None:
    """Nothing is waited for."""


async def _yes(_asker: object, jobs: Sequence[Job]) -> list[Permit]:
    return [Permit(job.claim.delivery_id, "yes", boottime() + LEASE_SECONDS) for job in jobs]


def _whoever_holds_it(names: tuple[str, ...]) -> tuple[Any, Any]:
    rows = given(delivery, names)
    return rows, and_(delivery.c.tenant_id == rows.c.tenant_id, delivery.c.delivery_id == rows.c.delivery_id)


def _not_taken(recorder: Recorder, claim: Claim, outcome: Outcome, at: Any) -> Conclusion:
    told = replace(outcome, kind="unsent") if outcome.kind == "unknown" else outcome
    return _concluded(recorder, claim, told, at)


_NOTIFIER = "tests/integration/notifier/"
MUTANTS = {
    "events that come again are new": Mutant(
        "libs.common.inbox:claim",
        _all_new,
        "tests/integration/bus/test_consumer.py::test_a_whole_topic_that_comes_again_has_no_effect",
    ),
    "a stop waits for nobody": Mutant(
        "libs.common.permits:_all_gone",
        _at_once,
        "tests/integration/permits/test_permits.py::test_nothing_leaves_after_a_stop_has_answered",
    ),
    "no permit is asked for": Mutant(
        "services.notifier.dispatch.asking:Asker.permits",
        _yes,
        _NOTIFIER + "test_superseding.py::test_a_refused_permit_stops_the_notice_with_its_reason",
    ),
    "a lease never ends": Mutant(
        "libs.common.permits:Permit.live",
        lambda _: True,
        _NOTIFIER + "test_claims.py::test_a_permit_that_has_run_out_sends_nothing",
    ),
    "a fence is not compared": Mutant(
        "services.notifier.store.deliveries:fenced",
        _whoever_holds_it,
        _NOTIFIER + "test_claims.py::test_who_lost_a_claim_to_another_neither_sends_nor_ends_nor_holds_it",
    ),
    "silence after the dot is taken for a no": Mutant(
        "services.notifier.dispatch.recording:Recorder._conclusion",
        _not_taken,
        _NOTIFIER + "test_sending.py::test_silence_after_the_final_dot_is_uncertain_and_never_a_second_mail",
    ),
    "any account may be printed": Mutant(
        "services.notifier.guard:foreign_ibans",
        lambda *_: [],
        _NOTIFIER + "test_sending.py::test_a_strange_account_in_an_invoice_number_stops_the_notice",
    ),
    "an automatic answer is a person's": Mutant(
        "services.notifier.inbound:_automatic",
        lambda *_: False,
        _NOTIFIER + "test_inbound.py::test_an_automatic_answer_does_nothing",
    ),
    "no row is locked": Mutant(
        "sqlalchemy.sql.selectable:GenerativeSelect.with_for_update",
        lambda asked, **_: asked,
        "tests/integration/scheduler/test_interleavings.py::test_two_sweeps_at_once_never_release_an_occurrence_twice",
    ),
    "an older version overwrites a newer one": Mutant(
        "services.invoice_ingest.intake:_by_version",
        intake._by_arrival,
        "tests/integration/invoice_ingest/test_webhooks.py::test_newer_versions_that_overtake_older_ones_stand",
    ),
    "any signature is right": Mutant(
        "libs.common.webhooks:genuine",
        lambda *_, **__: True,
        "tests/integration/invoice_ingest/test_webhooks.py"
        "::test_a_wrong_signature_an_old_stamp_and_an_unknown_source_are_the_same_401",
    ),
    "nothing keeps the matcher from acting": Mutant(
        "services.payment_matching.gate:guards",
        lambda *_: [],
        "tests/unit/payment_matching/test_gate.py::test_anything_less_is_shown_to_a_person",
    ),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--plant NAME`: the fault that this run has."""
    parser.addoption("--plant", choices=sorted(MUTANTS))


def pytest_configure(config: pytest.Config) -> None:
    """Plant it before any test is read."""
    name = config.getoption("--plant")
    if name:
        MUTANTS[name].plant()
