"""What a dead process leaves of its lanes: believed only if it is dead and the machine is the same."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from libs.common.ids import uuid7
from services.notifier.app import LOGBOOKS
from services.notifier.channels.smtp import Outcome
from services.notifier.dispatch import logbook
from services.notifier.dispatch.logbook import Logbook, inherited
from services.notifier.store import deliveries
from services.notifier.store.deliveries import Claim
from tests.integration.notifier.office import office
from tests.integration.notifier.test_claims import written
from tests.support import eventually

ROOT = Path(__file__).parents[3]
TAKEN = Outcome("accepted", "body", 250, "2.0.0 reçu")


def claim(fence: int = 1) -> Claim:
    ids = (uuid7() for _ in range(5))
    return Claim(*ids, None, "reminder", "a@b.fr", "", "c@d.fr", None, 1, fence, None, 0, 0)


def left(folder: Path) -> list[logbook.Left]:
    with inherited(folder) as found:
        return found


def test_every_step_is_read_as_what_it_proves(tmp_path: Path) -> None:
    book = Logbook.open(tmp_path, 6)
    claims = [claim(fence) for fence in range(1, 6)]
    for slot, each in zip(book.slots, claims, strict=False):
        slot.board(each)
    for slot in book.slots[1:5]:
        slot.begin()
    book.slots[2].dot()
    book.slots[3].end(TAKEN)
    book.slots[4].end(Outcome("unknown", "body", -1, "x" * 900))
    book.close()
    found = left(tmp_path)
    assert [(one.tenant_id, one.delivery_id, one.fence) for one in found] == [
        (each.tenant_id, each.delivery_id, each.fence) for each in claims
    ]
    outcomes = [one.outcome for one in found]
    assert [(one.kind, one.phase) for one in outcomes] == [
        ("unsent", "recipient"), ("unknown", "data"), ("unknown", "body"), ("accepted", "body"), ("unknown", "body")
    ]  # fmt: skip
    assert outcomes[3] == TAKEN and outcomes[4].code == -1
    assert left(tmp_path) == [], "it is read once"


def test_a_living_process_is_not_spoken_for(tmp_path: Path) -> None:
    book = Logbook.open(tmp_path, 1)
    book.slots[0].board(claim())
    assert left(tmp_path) == []
    book.close()
    assert len(left(tmp_path)) == 1


def test_a_process_that_was_killed_leaves_its_lanes_and_a_clean_end_leaves_nothing(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from tests.integration.notifier.test_lanes_left import claim
from services.notifier.dispatch.logbook import Logbook
book = Logbook.open(Path(sys.argv[1]), 3)
book.slots[1].board(claim(7))
book.slots[1].begin()
os.kill(os.getpid(), signal.SIGKILL)
"""
    died = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=False)
    assert died.returncode == -signal.SIGKILL
    assert [(one.fence, one.outcome.phase) for one in left(tmp_path)] == [(7, "data")]
    book = Logbook.open(tmp_path, 1)
    book.slots[0].board(claim())
    book.slots[0].clear()
    book.close()
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_before_the_machine_started_anew_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Logbook.open(tmp_path, 1)
    book.slots[0].board(claim())
    book.close()
    other = tmp_path / "boot_id"
    other.write_text("00000000-0000-4000-8000-000000000000\n")
    monkeypatch.setattr(logbook, "BOOT", other)
    assert left(tmp_path) == []
    assert not list(tmp_path.glob(f"*{logbook.SUFFIX}"))


def test_reading_that_failed_is_done_again(tmp_path: Path) -> None:
    book = Logbook.open(tmp_path, 1)
    book.slots[0].board(claim())
    book.close()
    with pytest.raises(RuntimeError), inherited(tmp_path):
        raise RuntimeError("the database is away")
    assert len(left(tmp_path)) == 1


def test_where_no_file_can_be_kept_lanes_work_without_a_witness(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    book = Logbook.open(tmp_path / "file", 1)
    book.slots[0].board(claim())
    book.slots[0].end(TAKEN)
    book.close()
    assert left(tmp_path / "file") == []


@pytest.mark.usefixtures("postgres")
async def test_a_mail_that_a_dead_process_had_not_begun_leaves_once(settings):
    async with office(settings, loops=["writing"]) as it:
        await _died(it, lambda slot: None)
        it.run("dispatch")
        await it.until("ReminderSent")
        assert await it.names() == ["ReminderSent"] and len(it.sink.taken) == 1


@pytest.mark.usefixtures("postgres")
async def test_a_mail_whose_answer_a_dead_process_had_read_is_sent_and_does_not_leave_again(settings):
    async with office(settings, loops=["writing"]) as it:
        left_at = it.clock.now()
        await _died(it, lambda slot: slot.end(TAKEN))
        it.run("dispatch")
        assert (await it.until("ReminderSent"))[0].sent_at == left_at
        assert await it.names() == ["ReminderSent"] and it.sink.data_instants == []


@pytest.mark.usefixtures("postgres")
@pytest.mark.parametrize(("step", "reason"), [("begin", "unfinished"), ("dot", "no_answer")])
async def test_a_mail_that_a_dead_process_had_begun_is_uncertain_at_once_and_says_how_far_it_came(
    settings, step, reason
):
    async with office(settings, loops=["writing"]) as it:
        await _died(it, lambda slot: getattr(slot, step)())
        it.run("dispatch")
        await it.until("ReminderUncertain")
        [one] = (await it.get("/v1/deliveries?state=uncertain"))["deliveries"]
        assert one["reason"] == reason and it.sink.data_instants == []


@pytest.mark.usefixtures("postgres")
async def test_the_word_of_a_dead_process_ends_the_doubt_that_came_before_it(settings):
    async with office(settings, loops=["writing"]) as it:
        await _died(it, lambda slot: slot.end(TAKEN))
        async with it.loops.transaction() as db:
            await deliveries.change(db, it.tenant, await _only(it), state="uncertain", reason="claim_expired")
        it.run("dispatch")
        await eventually(lambda: _state(it, "sent"))
        assert it.sink.data_instants == []


async def _only(it):
    [one] = (await it.get("/v1/deliveries"))["deliveries"]
    return one["delivery_id"]


async def _state(it, state):
    return (await it.get(f"/v1/deliveries?state={state}"))["deliveries"]


async def _died(it, came):
    """A delivery on the wire whose process died after it had come so far."""
    holder = await written(it)
    book = Logbook.open(it.settings.state / LOGBOOKS, 2)
    book.slots[1].board(holder)
    async with it.loops.transaction() as db:
        await deliveries.put_on_wire(db, [holder], it.clock.now())
    came(book.slots[1])
    book.close()
