"""Processes that die, freeze or come late: the fence and the expired claim keep them from sending again."""

import asyncio

import pytest
from sqlalchemy import text

from libs.common.aside import Aside
from libs.common.metrics import NOTICES_SET_ASIDE
from services.notifier.channels.smtp import Outcome, Wire
from services.notifier.dispatch.asking import Asker
from services.notifier.dispatch.job import Job
from services.notifier.dispatch.recording import Recorder
from services.notifier.store import deliveries, notices
from tests.integration.notifier.office import FAST, office
from tests.support import eventually

pytestmark = pytest.mark.usefixtures("postgres")


async def written(it):
    """A delivery that is ready, claimed by a process that is not the office's own."""
    await it.hear(it.due())
    await eventually(lambda: _ready(it))
    return await claimed(it)


async def claimed(it):
    async with it.loops.transaction() as db:
        [claim] = [each for each in await deliveries.claim(db, 500, it.clock.now()) if each.tenant_id == it.tenant]
        return claim


async def _ready(it):
    return (await it.get("/v1/deliveries?state=ready"))["deliveries"]


async def sql(it, statement, **values):
    async with it.loops.transaction() as db:
        return await db.execute(text(statement), values | {"tenant": it.tenant})


RUN_OUT = "update delivery set claimed_until = clock_timestamp() - interval '1 second' where tenant_id = :tenant"


async def test_a_claim_that_ran_out_before_the_wire_is_taken_by_another_and_the_first_may_not_send(settings):
    async with office(settings, loops=["writing"]) as it:
        zombie = await written(it)
        await sql(it, RUN_OUT)
        it.run("dispatch")
        await it.until("ReminderSent")
        async with it.loops.transaction() as db:
            assert await deliveries.put_on_wire(db, [zombie], it.clock.now()) == {}
            assert await deliveries.renew(db, [zombie]) == set()
            assert await deliveries.conclude(db, [deliveries.Conclusion(zombie, "ready")]) == []
        assert len(it.sink.taken) == 1


async def test_who_lost_a_claim_to_another_neither_sends_nor_ends_nor_holds_it(settings):
    async with office(settings, loops=["writing"]) as it:
        zombie = await written(it)
        await sql(it, RUN_OUT)
        heir = await claimed(it)
        async with it.loops.transaction() as db:
            assert await deliveries.renew(db, [zombie]) == set()
            assert await deliveries.put_on_wire(db, [zombie], it.clock.now()) == {}
            assert await deliveries.conclude(db, [deliveries.Conclusion(zombie, "stopped")]) == []
            await deliveries.let_go(db, [zombie], 0.0)
        async with it.loops.transaction() as db:
            assert heir.delivery_id in await deliveries.put_on_wire(db, [heir], it.clock.now())


async def test_a_claim_that_ran_out_on_the_wire_is_uncertain_and_a_late_answer_ends_it(settings):
    async with office(settings, loops=["writing"]) as it:
        holder = await written(it)
        async with it.loops.transaction() as db:
            assert holder.delivery_id in await deliveries.put_on_wire(db, [holder], it.clock.now())
        await sql(it, RUN_OUT)
        it.run("dispatch")
        await it.until("ReminderUncertain")
        assert it.sink.data_instants == []
        recorder = _recorder(it)
        async with it.loops.transaction() as db:
            about = await notices.one(db, it.tenant, holder.notice_id)
        job = Job(holder, about, [], b"", "bounce@x.fr")
        await recorder.outcomes([(job, Outcome("accepted", "body", 250, "taken"))])
        assert await it.names() == ["ReminderUncertain", "ReminderSent"]


async def test_a_late_proof_that_it_was_not_taken_stops_it_instead_of_sending_again(settings):
    async with office(settings, loops=["writing"]) as it:
        holder = await written(it)
        async with it.loops.transaction() as db:
            await deliveries.put_on_wire(db, [holder], it.clock.now())
        await sql(it, RUN_OUT)
        it.run("dispatch")
        await it.until("ReminderUncertain")
        async with it.loops.transaction() as db:
            about = await notices.one(db, it.tenant, holder.notice_id)
        await _recorder(it).outcomes([(Job(holder, about, [], b"", "b@x.fr"), Outcome("unsent", "data"))])
        assert await it.names() == ["ReminderUncertain", "ReminderStopped"]
        assert it.sink.data_instants == []


async def test_a_late_renewal_does_not_hold_what_was_given_back(settings):
    async with office(settings, loops=["writing"]) as it:
        holder = await written(it)
        async with it.loops.transaction() as db:
            await deliveries.let_go(db, [holder], 0.0)
        async with it.loops.transaction() as db:
            assert await deliveries.renew(db, [holder]) == set()
        it.run("dispatch")
        await it.until("ReminderSent")


async def test_a_body_is_not_written_when_its_permit_ends_while_it_is_made_ready(settings):
    async with office(settings, loops=["writing"]) as it:
        wire = Wire(it.settings)
        await wire.open()
        await wire.offer("bounce@example.com", "somebody@example.com")
        await wire.data()
        outcome = await wire.body(b"Subject: late\r\n\r\nLate.\r\n", lambda: False)
        assert (outcome.kind, outcome.text, wire.written_at) == ("unsent", "permit over", 0.0)
        assert it.sink.taken == []


def _recorder(it):
    asker = Asker(it.settings, it.loops, it.peers, it.clock, 50)
    return Recorder(it.loops, it.clock, asker, FAST, Aside(NOTICES_SET_ASIDE))


async def test_a_permit_that_has_run_out_sends_nothing(settings):
    async with office(settings, loops=["writing"]) as it:
        real = it.granters.answer

        async def slow(request):
            await asyncio.sleep(3.2)
            return real(it.settings, request)

        it.slow = slow
        await it.hear(it.due())
        it.run("dispatch")
        await eventually(lambda: len(it.granters.asked) >= 3)
        await eventually(lambda: _tried(it), timeout=40)
        assert it.sink.data_instants == [] and it.sink.taken == []
        it.slow = None
        it.wake()
        await it.until("ReminderSent", within=40)


async def _tried(it):
    return [each for each in (await it.get("/v1/deliveries"))["deliveries"] if each["tries"] > 0]


async def test_a_process_that_stops_gives_back_what_it_has_not_begun(settings):
    async with office(settings, loops=["writing"]) as it:
        for n in range(2, 42):
            await it.hear(it.debtor(n), it.due(it.line(100 + n), payer=n))
        await eventually(lambda: _many(it, 40))
        it.run("dispatch")
        await eventually(lambda: it.sink.taken)
        pulse = it.app.pulses.pop("dispatch")
        pulse.stopping.set()
        pulse.nudge()
        await it.tasks.pop("dispatch")
        left = await sql(
            it,
            "select count(*) from delivery where tenant_id = :tenant and claimed_until is not null and state = 'ready'",
        )
        assert left.scalar() == 0
        wire = await sql(it, "select count(*) from delivery where tenant_id = :tenant and state = 'on_wire'")
        assert wire.scalar() == 0
        assert len(it.sink.taken) == len({each.delivery_id for each in it.sink.taken})


async def _many(it, count):
    found = await sql(it, "select count(*) from delivery where tenant_id = :tenant and state = 'ready'")
    return found.scalar() >= count


async def test_a_mail_host_in_the_world_is_not_used_by_a_catcher_installation(settings):
    wire = Wire(settings)

    class Client:
        def get_transport_info(self, name):
            return ("93.184.216.34", 25)

    with pytest.raises(Exception, match="in the world"):
        wire._check_door(Client())
