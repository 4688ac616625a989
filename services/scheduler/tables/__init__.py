"""The scheduler's tables. Rows of facts may come before the invoice they are about: they are kept by id.

The rule they protect: an occurrence is unique per (tenant, item, cycle, step); the row of the payer's case is the one
lock that handlers, sweep and API share; whatever is told twice or late leaves the same rows.
"""

from services.scheduler.tables.balance import audit_mark, earlier_release, kept_silent, said_twice
from services.scheduler.tables.cases import debtor, item, party, payer_case, residual_fact
from services.scheduler.tables.charges import charge, charge_rate, charge_terms, item_money
from services.scheduler.tables.columns import scheduler
from services.scheduler.tables.credit import (
    credit_block,
    credit_limit,
    deadline_alarm,
    insolvency,
    insurer_answer,
    insurer_consent,
    insurer_cover,
    insurer_declaration,
    insurer_terms,
    payer_owing,
    write_off_proposal,
)
from services.scheduler.tables.evidence import notice, occurrence
from services.scheduler.tables.holds import dispute, hold, plan, promise
from services.scheduler.tables.money import credit_note, feed, payment
from services.scheduler.tables.outgoing import attempt, endpoint, message
from services.scheduler.tables.past import past_fact
from services.scheduler.tables.policies import policy_act, policy_assignment, policy_version
from services.scheduler.tables.recovery import recovery_file, recovery_item, recovery_step
from services.scheduler.tables.running_in import bounded_day, earned_step, ramp_notice
from services.scheduler.tables.shadow import shadow_step

__all__ = [
    "attempt",
    "audit_mark",
    "bounded_day",
    "charge",
    "charge_rate",
    "charge_terms",
    "credit_block",
    "credit_limit",
    "credit_note",
    "deadline_alarm",
    "debtor",
    "dispute",
    "earlier_release",
    "earned_step",
    "endpoint",
    "feed",
    "hold",
    "insolvency",
    "insurer_answer",
    "insurer_consent",
    "insurer_cover",
    "insurer_declaration",
    "insurer_terms",
    "item",
    "item_money",
    "kept_silent",
    "message",
    "notice",
    "occurrence",
    "party",
    "past_fact",
    "payer_case",
    "payer_owing",
    "payment",
    "plan",
    "policy_act",
    "policy_assignment",
    "policy_version",
    "promise",
    "ramp_notice",
    "recovery_file",
    "recovery_item",
    "recovery_step",
    "residual_fact",
    "said_twice",
    "scheduler",
    "shadow_step",
    "write_off_proposal",
]
