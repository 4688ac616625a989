"""One notice that cannot be written, frozen, sent or put on record stops no other, and is never sent twice."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from libs.common.aside import ASIDE_MOST, Aside
from libs.common.metrics import NOTICES_SET_ASIDE
from libs.common.runtime import Pulse
from services.notifier.channels.smtp import Outcome, Wire
from services.notifier.dispatch.asking import Asker
from services.notifier.dispatch.freezing import Freezer
from services.notifier.dispatch.job import Job
from services.notifier.dispatch.loop import Dispatcher
from services.notifier.dispatch.recording import Recorder
from services.notifier.render import Renderer
from services.notifier.store import deliveries, notices
from services.notifier.tokens import Links, Tokens
from services.notifier.writing import Writer
from tests.integration.notifier.office import FAST, office
from tests.support import eventually

pytestmark = pytest.mark.usefixtures("postgres")

BAD = 2
"""The payer whose notice is spoiled, of three."""
IN_AN_HOUR = "next_try_at between clock_timestamp() + interval '55 minutes' and clock_timestamp() + interval '1 hour'"


async def sql(it, statement, **values):
    async with it.loops.transaction() as db:
        return await db.execute(text(statement), values | {"tenant": it.tenant, "payer": it.payer(BAD)})


async def spoil(it, column, value):
    """A value that no door lets in, in the notice to one payer."""
    await sql(it, f"update notice set {column} = :value where tenant_id = :tenant and payer_id = :payer", value=value)


async def three_due(it):
    for n in (1, BAD, 3):
        await it.hear(it.debtor(n), it.due(it.line(n), payer=n))


async def three_ready(it):
    await three_due(it)
    ready = "select count(*) from delivery where tenant_id = :tenant and state = 'ready'"
    await eventually(lambda: _count(it, ready, 3))


async def _count(it, statement, number):
    return (await sql(it, statement)).scalar() == number


async def set_aside(it, table):
    """Once the spoiled one waits for an hour."""
    await eventually(lambda: _count(it, f"select count(*) from {table} where tenant_id = :tenant and {IN_AN_HOUR}", 1))


async def try_again(it, table):
    await sql(it, f"update {table} set next_try_at = clock_timestamp() where tenant_id = :tenant")
    it.wake()


def addressees(it):
    return sorted(each.mail["To"] for each in it.sink.taken)


async def test_a_notice_that_cannot_be_written_waits_an_hour_and_stops_no_other(settings):
    async with office(settings, loops=[]) as it:
        await three_due(it)
        await spoil(it, "language", "xx")
        before = NOTICES_SET_ASIDE._value.get()
        it.run("writing", "dispatch")
        await it.until("ReminderSent", count=2)
        await set_aside(it, "notice")
        assert addressees(it) == [it.address(1), it.address(3)]
        assert NOTICES_SET_ASIDE._value.get() == before + 1
        await spoil(it, "language", "fr")
        await try_again(it, "notice")
        await it.until("ReminderSent", count=3)
        assert await it.names() == ["ReminderSent"] * 3


async def test_so_many_are_no_bad_notices_but_a_bad_release(settings):
    async with office(settings, loops=[]) as it:
        for n in range(2, 3 + ASIDE_MOST):
            await it.hear(it.debtor(n), it.due(it.line(100 + n), payer=n))
        await sql(it, "update notice set language = 'xx' where tenant_id = :tenant")
        writer = Writer(it.loops, it.clock, Renderer(), lambda: None, Aside(NOTICES_SET_ASIDE))
        with pytest.raises(KeyError):
            while await writer.turn() != 0:
                pass
        await eventually(
            lambda: _count(it, f"select count(*) from notice where tenant_id = :tenant and {IN_AN_HOUR}", 20)
        )


async def test_a_mail_that_cannot_be_frozen_waits_an_hour_and_stops_no_other(settings):
    async with office(settings, loops=["writing"]) as it:
        await three_ready(it)
        await spoil(it, "language", "français")
        it.run("dispatch")
        await it.until("ReminderSent", count=2)
        await set_aside(it, "delivery")
        await spoil(it, "language", "fr")
        await try_again(it, "delivery")
        await it.until("ReminderSent", count=3)
        assert addressees(it) == [it.address(n) for n in (1, 2, 3)]


async def test_a_mail_that_fails_before_data_waits_an_hour_and_is_not_in_doubt(settings):
    async with office(settings, loops=["writing"]) as it:
        await three_ready(it)
        mine = "from notice n where n.tenant_id = d.tenant_id and n.notice_id = d.notice_id and n.payer_id = :payer"
        frozen = "update delivery d set raw = :raw, recipient = :to {} and d.tenant_id = :tenant"
        await sql(it, frozen.format(mine), raw=b"To: x\r\n\r\nx\r\n", to="compté@client.fr")
        it.run("dispatch")
        await it.until("ReminderSent", count=2)
        await set_aside(it, "delivery")
        assert await it.names() == ["ReminderSent"] * 2 and len(it.sink.data_instants) == 2
        await sql(it, frozen.format(mine), raw=b"To: x\r\n\r\nx\r\n", to=it.address(BAD))
        await try_again(it, "delivery")
        await it.until("ReminderSent", count=3)
        assert len(it.sink.data_instants) == 3


class Breaking(Wire):
    """A wire with an error of its own, once the mail server waits for the body of one payer's mail."""

    address = ""

    async def body(self, raw, may, dotting=lambda: None):
        if f"To: {self.address}".encode() in raw:
            raise LookupError("no such codec")
        return await super().body(raw, may, dotting)


@asynccontextmanager
async def dispatching(it):
    """A dispatcher of its own, whose wires break over the spoiled one."""
    secret = it.settings.service_secret
    freezer = Freezer(it.loops, it.peers, it.clock, Tokens(secret), Links(secret, "http://x.fr"))

    def wire():
        made = Breaking(it.settings)
        made.address = it.address(BAD)
        return made

    pulse = Pulse()
    loop = Dispatcher(it.loops, freezer, recorder(it), open_wire=wire, logbooks=it.settings.state / "breaking", lanes=2)
    task = asyncio.create_task(loop.run(pulse))
    try:
        yield
    finally:
        pulse.stopping.set()
        pulse.nudge()
        await task


def recorder(it):
    asker = Asker(it.settings, it.loops, it.peers, it.clock, 50)
    return Recorder(it.loops, it.clock, asker, FAST, Aside(NOTICES_SET_ASIDE))


async def test_a_mail_that_fails_after_data_is_uncertain_and_never_sent_again(settings):
    async with office(settings, loops=["writing"]) as it:
        await three_ready(it)
        before = NOTICES_SET_ASIDE._value.get()
        async with dispatching(it):
            await it.until("ReminderSent", count=2)
            await it.until("ReminderUncertain")
            await eventually(lambda: NOTICES_SET_ASIDE._value.get() == before + 1)
        assert sorted(await it.names()) == ["ReminderSent", "ReminderSent", "ReminderUncertain"]
        assert addressees(it) == [it.address(1), it.address(3)] and len(it.sink.data_instants) == 3


RUN_OUT = "update delivery set claimed_until = clock_timestamp() - interval '1 second' where tenant_id = :tenant"
ON_WIRE = "select count(*) from delivery where tenant_id = :tenant and state = 'on_wire' and claimed_until > now()"


async def test_an_end_that_cannot_be_put_on_record_stops_no_other_and_becomes_doubt_when_it_can(settings):
    async with office(settings, loops=["writing"]) as it:
        await three_ready(it)
        async with it.loops.transaction() as db:
            claims = [each for each in await deliveries.claim(db, 500, it.clock.now()) if each.tenant_id == it.tenant]
            await deliveries.put_on_wire(db, claims, it.clock.now())
            about = {each.notice_id: await notices.one(db, it.tenant, each.notice_id) for each in claims}
        await spoil(it, "kind", "nonsense")
        jobs = [Job(each, about[each.notice_id], [], b"", "b@x.fr") for each in claims]
        await recorder(it).outcomes([(job, Outcome("accepted", "body", 250)) for job in jobs])
        assert await it.names() == ["ReminderSent"] * 2
        assert await _count(it, ON_WIRE, 1)
        await sql(it, RUN_OUT)
        it.run("dispatch")
        await eventually(lambda: _count(it, ON_WIRE, 1))
        assert await it.names() == ["ReminderSent"] * 2
        await spoil(it, "kind", "reminder")
        await sql(it, RUN_OUT)
        await it.until("ReminderUncertain")
        assert it.sink.data_instants == []
