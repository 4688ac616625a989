"""The shape of a loop: turns until the process stops, a rest when there is nothing to do.

Protects: what passes by itself, such as a database that is away, is waited out, and the loop is at work until then;
everything else ends the process.
"""

from collections.abc import Awaitable, Callable

import structlog

from libs.common.metrics import LOOP_INTERRUPTIONS
from libs.common.retry import backoff, interruption, is_transient
from libs.common.runtime import Pulse

log = structlog.get_logger(__name__)


async def turning(pulse: Pulse, name: str, turn: Callable[[], Awaitable[float]]) -> None:
    """Take turns until the process stops. `turn` answers for how many seconds to rest then, 0 if there is more to do.

    Raises what it raises, unless it is transient.
    """
    failed = 0
    while not pulse.stopping.is_set():
        pulse.turn()
        try:
            seconds = await turn()
            if failed:
                failed = pulse.held = 0
        except Exception as error:
            if not is_transient(error):
                raise
            failed += 1
            pulse.held = 1
            LOOP_INTERRUPTIONS.labels(name).inc()
            log.warning("loop.interrupted", loop=name, **interruption(error))
            seconds = backoff(failed)
        if seconds:
            await pulse.rest(seconds)
