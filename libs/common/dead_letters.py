"""Dead letters: records that could not be handled, and the later events of their key parked behind them, in order.

The rules it protects: nothing is lost by being set aside; a key's order survives; a person decides. The row of
`parked_key` is the lock that parking and draining both take. Letters live in the consumer's own schema.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import LargeBinary, Text, bindparam, column, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import inbox
from libs.common.errors import Conflict, NotFound
from libs.common.ids import uuid7
from libs.common.incoming import Incoming
from libs.common.metrics import DEAD_LETTERS_OPEN, PARKED_OPEN
from libs.common.sets import adding, columns
from libs.common.tables import dead_letter, parked, parked_key

Lane = tuple[str, bytes]
"""Topic and key."""
State = Literal["open", "replay", "drop", "replayed", "dropped"]
ERROR_LIMIT = 2_000

_PARKED = (
    "tenant_id", "consumer", "event_id", "type", "topic", "key", "headers", "body", "kafka_partition", "kafka_offset"
)  # fmt: skip
_lanes = (
    func.unnest(bindparam("topics", type_=ARRAY(Text)), bindparam("keys", type_=ARRAY(LargeBinary)))
    .table_valued(column("topic", Text), column("key", LargeBinary), name="asked")
    .render_derived()
)
_shut = (
    select(parked_key.c.topic, parked_key.c.key)
    .join(_lanes, tuple_(parked_key.c.topic, parked_key.c.key) == tuple_(_lanes.c.topic, _lanes.c.key))
    .where(parked_key.c.consumer == bindparam("consumer", type_=Text))
    .order_by(parked_key.c.topic, parked_key.c.key)
    .with_for_update(of=parked_key)
)


class LetterEnded(Conflict):
    """This dead letter was replayed or dropped already."""

    code = "letter_ended"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as a person reads it. `behind` counts the events that wait for it."""

    letter_id: UUID
    tenant_id: UUID
    consumer: str
    event_id: UUID
    type: str | None
    topic: str
    key: str | None
    error: str
    attempts: int
    state: State
    set_aside_at: datetime
    behind: int


def _facts(consumer: str, it: Incoming) -> dict[str, Any]:
    return {
        "tenant_id": it.tenant,
        "consumer": consumer,
        "event_id": it.event_id,
        "type": it.record.type,
        "topic": it.record.topic,
        "key": it.record.key,
        "headers": orjson.dumps(it.record.headers).decode(),
        "body": it.record.body,
        "kafka_partition": it.record.partition,
        "kafka_offset": it.record.offset,
    }


async def shut_lanes(db: AsyncConnection, consumer: str, lanes: Collection[Lane]) -> set[Lane]:
    """Those of these lanes that wait behind a letter, locked until the end of the transaction."""
    if not lanes:
        return set()
    topics, keys = (list(part) for part in zip(*lanes, strict=True))
    rows = await db.execute(_shut, {"topics": topics, "keys": keys, "consumer": consumer})
    return {(topic, key) for topic, key in rows}


async def set_aside(
    db: AsyncConnection, consumer: str, it: Incoming, error: BaseException, attempts: int, *, first: bool = False
) -> bool:
    """Make the record a dead letter and shut its lane; what is a letter, parked or handled already stays as it is.

    On a shut lane it is parked, unless the caller holds the lane and says that this record is its `first`.
    Answers whether there is a new letter.
    """
    if await inbox.known(db, consumer, [it.event_id]):
        return False
    if not first and it.lane is not None and await shut_lanes(db, consumer, [it.lane]):
        await park(db, consumer, [it])
        return False
    letter = _facts(consumer, it) | {"letter_id": uuid7(), "error": told(error), "attempts": attempts}
    added = insert(dead_letter).values(letter).on_conflict_do_nothing(index_elements=["consumer", "event_id"])
    if not (await db.scalars(added.returning(dead_letter.c.letter_id))).all():
        return False
    if it.lane is not None:
        shut = {"tenant_id": it.tenant, "consumer": consumer, "topic": it.lane[0], "key": it.lane[1]}
        await db.execute(insert(parked_key).values(shut).on_conflict_do_nothing())
    return True


async def park(db: AsyncConnection, consumer: str, behind: Sequence[Incoming]) -> None:
    """Keep these records, in their order, until the letter of their lane is dealt with. Their lanes are locked."""
    done = await inbox.known(db, consumer, [it.event_id for it in behind])
    letters = select(dead_letter.c.event_id).where(
        dead_letter.c.consumer == consumer, dead_letter.c.event_id == func.any([it.event_id for it in behind])
    )
    done |= set(await db.scalars(letters))
    rows = [_facts(consumer, it) for it in behind if it.event_id not in done]
    if rows:
        await db.execute(adding(parked, _PARKED), columns(rows))


def told(error: BaseException) -> str:
    """The error in a line a person can read, without parameters."""
    return f"{type(error).__name__}: {error}"[:ERROR_LIMIT]


def _letters() -> Any:
    waiting = (
        select(func.count())
        .where(
            parked.c.consumer == dead_letter.c.consumer,
            parked.c.topic == dead_letter.c.topic,
            parked.c.key == dead_letter.c.key,
        )
        .scalar_subquery()
    )
    shown = (
        dead_letter.c.letter_id, dead_letter.c.tenant_id, dead_letter.c.consumer, dead_letter.c.event_id,
        dead_letter.c.type, dead_letter.c.topic, dead_letter.c.key, dead_letter.c.error, dead_letter.c.attempts,
        dead_letter.c.state, dead_letter.c.set_aside_at, waiting.label("behind"),
    )  # fmt: skip
    return select(*shown).order_by(dead_letter.c.set_aside_at, dead_letter.c.letter_id)


def _letter(row: Any) -> Letter:
    facts = row._asdict()
    key = facts["key"]
    return Letter(**(facts | {"key": key.decode(errors="replace") if key is not None else None}))


async def letters(
    db: AsyncConnection, *, states: Collection[State] = ("open", "replay", "drop"), limit: int = 100
) -> list[Letter]:
    """The letters of this schema in these states, oldest first."""
    asked = _letters().where(dead_letter.c.state == func.any(list(states))).limit(limit)
    return [_letter(row) for row in await db.execute(asked)]


async def letter(db: AsyncConnection, letter_id: UUID) -> tuple[Letter, Mapping[str, str], bytes | None]:
    """One letter with its headers and body. Raises NotFound."""
    row = (await db.execute(_letters().where(dead_letter.c.letter_id == letter_id))).one_or_none()
    if row is None:
        raise NotFound(f"There is no dead letter {letter_id} here.")
    asked = select(dead_letter.c.headers, dead_letter.c.body).where(dead_letter.c.letter_id == letter_id)
    headers, body = (await db.execute(asked)).one()
    return _letter(row), orjson.loads(headers), body


async def replay(db: AsyncConnection, letter_id: UUID, by: str) -> None:
    """Mark the letter: the service tries it again, then what is parked behind it. Raises NotFound or LetterEnded."""
    await _decide(db, letter_id, state="replay", decided_by=by, reason=None)


async def drop(db: AsyncConnection, letter_id: UUID, by: str, reason: str) -> None:
    """Mark the letter: the service forgets it and goes on behind it. Raises NotFound or LetterEnded."""
    await _decide(db, letter_id, state="drop", decided_by=by, reason=reason)


async def _decide(db: AsyncConnection, letter_id: UUID, **facts: str | None) -> None:
    which = (dead_letter.c.letter_id == letter_id, dead_letter.c.state.in_(("open", "replay", "drop")))
    deciding = update(dead_letter).where(*which).values(**facts).returning(dead_letter.c.letter_id)
    if (await db.execute(deciding)).one_or_none():
        return
    await letter(db, letter_id)
    raise LetterEnded(f"The dead letter {letter_id} was replayed or dropped already.")


async def show(db: AsyncConnection) -> None:
    """Set the gauges of this process's service."""
    still = select(func.count()).where(dead_letter.c.state.in_(("open", "replay", "drop")))
    DEAD_LETTERS_OPEN.set(await db.scalar(still) or 0)
    PARKED_OPEN.set(await db.scalar(select(func.count()).select_from(parked)) or 0)
