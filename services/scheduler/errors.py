"""What the scheduler refuses, beside the errors that all services share."""

from libs.common.errors import Conflict, Refused


class PolicyInvalid(Refused):
    """The policy cannot be used as it is written."""

    code = "policy_invalid"
    remedy = "Correct the fields named in errors; policies/standard.yaml shows the shape."


class ConditionInvalid(Refused):
    """The condition is not understood."""

    code = "condition_invalid"
    remedy = "docs/policies.md#conditions lists the fields and the grammar."


class ReviewDateInvalid(Refused):
    """A hold needs a review date that lies ahead, at most a year."""

    code = "review_date_invalid"
    remedy = "Send a day after today and within a year."


class DaysReversed(Refused):
    """The last day is before the first."""

    code = "days_reversed"
    remedy = "Send a last day on or after the first."


class DaysMixed(Refused):
    """The days have all passed, or they all lie ahead."""

    code = "days_mixed"
    remedy = "Ask twice: up to yesterday, and from today on."


class NoPeriod(Refused):
    """The days make no period that figures can be given for."""

    code = "no_period"
    remedy = "Send first and last between 2000 and 2100, at most 366 days apart."


class DaysOutOfReach(Refused):
    """These days lie before 2000 or after 2100."""

    code = "days_out_of_reach"
    remedy = "Send days from 2000-01-01 to 2100-01-01."


class DaysTooMany(Refused):
    """These are more days than can be played at once."""

    code = "days_too_many"
    remedy = "Ask for fewer days: 186 that have passed, or 366 ahead."


class ScopeUnknown(Refused):
    """Nothing of this scope and id is known here."""

    code = "scope_unknown"
    remedy = "Send the id of something that is known here: GET /v1/items or /v1/cases tell it."


class AmountTooLarge(Refused):
    """The amount is more than what is owed."""

    code = "amount_too_large"
    remedy = "Send more than zero and at most what is owed, in the currency in which it is owed."


class AlreadyEnded(Conflict):
    """This has ended already."""

    code = "already_ended"


class PolicyNotClean(Refused):
    """The linter found errors in this version; it stays a draft."""

    code = "policy_not_clean"
    remedy = "Correct what the findings name in a new draft; warnings do not block."


class WrongState(Conflict):
    """This cannot be done in the state it is in."""

    code = "wrong_state"


class PolicyUnknown(Refused):
    """No active version of this policy is known here."""

    code = "policy_unknown"
    remedy = "Activate a version of it first; GET /v1/policies lists them."


class PolicyInUse(Conflict):
    """Somebody still follows this policy."""

    code = "policy_in_use"
    remedy = "Give the entities and assignments that follow it another policy first, or activate another version."


class ExpiryInvalid(Refused):
    """An assignment ends on a day that lies ahead, at most three years."""

    code = "expiry_invalid"


class FourEyes(Conflict):
    """Whoever wrote it cannot approve it."""

    code = "four_eyes"
    remedy = "Another person has to approve this version."


class NotInTakeOver(Conflict):
    """The item does not wait in take-over."""

    code = "not_in_take_over"


class ReleasedElsewhere(Conflict):
    """An occurrence was released by somebody else."""

    code = "released_elsewhere"


class ConsentMissing(Refused):
    """The insurer has not agreed to a payment that late."""

    code = "insurer_consent_missing"
