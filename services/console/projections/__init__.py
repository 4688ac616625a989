"""The read model: what every topic said, as the pages need it. It acts on nothing and can be rebuilt from the topics.

tables     one row a thing, one row a thing that happened
keeping    set-based writing: the highest version wins, whatever the order
ledger     invoices, instalments, payments, credits, feeds
follow_up  reminders, notices, tasks, replies, holds, promises, plans, disputes, cases
people     debtors and their contacts
activity   the timeline: one line an event
"""

from libs.common.consumer import Handler
from libs.common.events.envelope import Body
from services.console.projections import activity, follow_up, ledger, people
from services.console.projections.activity import both
from services.console.projections.tables import ReadModel


def handlers(model: ReadModel) -> dict[type[Body], Handler]:
    """Everything that one set of tables hears."""
    found = {**people.handlers(model), **ledger.handlers(model), **follow_up.handlers(model)}
    for type_, happened in activity.handlers(model).items():
        found[type_] = both(found[type_], happened) if type_ in found else happened
    return found


__all__ = ["both", "handlers"]
