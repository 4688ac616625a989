"""The outbox: what a service says is recorded in the transaction that makes it true, and published afterwards.

recording    record, erase inside the caller's transaction; the bound at which doors close
publishing   batches to the broker, one partition a lane, never a later row before an earlier one's ack
relay        the loop that moves rows from the outbox through the broker to the archive
"""

from libs.common.outbox.recording import Bound, EventTooLarge, erase, outbox_full, record
from libs.common.outbox.relay import Relay

__all__ = ["Bound", "EventTooLarge", "Relay", "erase", "outbox_full", "record"]
