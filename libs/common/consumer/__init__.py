"""The consumer: what the topics say becomes the service's state, each event once, each key in order.

rounds     a batch cut into lists of one type with every subject once
batch      one list in one transaction: parked keys, inbox, lock, handlers
trying     the same again, halves, or set aside: what follows a failure
draining   letters that a person let go, and the events parked behind them
loop       the member of the group: poll, work, commit the offsets, give way
"""

from libs.common.consumer.loop import Consumer
from libs.common.consumer.rounds import Handler, Lock, each

__all__ = ["Consumer", "Handler", "Lock", "each"]
