"""The outbox: what a service says is recorded in the transaction that makes it true, and published afterwards.

recording    record, erase, outbox_full: inside the caller's transaction
publishing   batches to the broker, one partition a lane, never a later row before an earlier one's ack
relay        the loop that moves rows from the outbox through the broker to the archive
"""

from libs.common.outbox.recording import EventTooLarge, erase, outbox_full, record
from libs.common.outbox.relay import Relay

__all__ = ["EventTooLarge", "Relay", "erase", "outbox_full", "record"]
