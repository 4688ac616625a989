"""What this service refuses, by name.

Refused
├── UnreadableStatement   the file is not a statement we can prove
├── UnknownFormat         the file is of no format known here, or no saved mapping fits the table
├── UnknownAccount        the file tells of an account that belongs to no entity here
├── OverAllocated         more money was to be given than there is, or than is owed
├── TooFewOutcomes        a calibration needs more outcomes than there are
└── OverTolerance         more was to be written off than its kind allows
Conflict
├── SecondPerson          two people decide this, and one of them was the caller
├── AlreadyDecided        somebody approved, refused or replaced this proposal before
├── NothingToGive         nothing of the payment is left, or the item owes nothing
├── PaymentConflict       the same external_id was sent before with other content
└── AlreadyReversed       the bank has already taken this money back
"""

from libs.common.errors import Conflict, Refused


class UnreadableStatement(Refused):
    """The file is not a statement that can be proved right."""

    code = "unreadable_statement"
    remedy = "Ask the bank for the file again; if it is the same, send it to support with this message."


class UnknownFormat(Refused):
    """The file is of no format known here, or no saved mapping fits the table."""

    code = "unknown_format"
    remedy = "For a table (CSV, XLSX) save the account's mapping; else ask the bank for camt.053, MT940 or CFONB 120."


class UnknownAccount(Refused):
    """The file tells of an account that belongs to no entity here."""

    code = "unknown_account"
    remedy = "Have the account approved in the directory, or name its entity with ?entity_id=."


class OverAllocated(Refused):
    """More money was to be given than there is, or than is owed."""

    code = "over_allocated"
    remedy = "Give at most what the payment has left and at most what each item owes."


class TooFewOutcomes(Refused):
    """A calibration needs more outcomes than there are."""

    code = "too_few_outcomes"
    remedy = "Decide more payments that wait, and make it later: until then the product's own calibration acts."


class OverTolerance(Refused):
    """More was to be written off than its kind allows."""

    code = "over_tolerance"
    remedy = "Leave the rest owed, or have the invoice credited in the ERP."


class SecondPerson(Conflict):
    """Whoever proposed it cannot approve it."""

    code = "four_eyes"
    remedy = "Another person has to approve it."


class AlreadyDecided(Conflict):
    """Somebody approved, refused or replaced this proposal before."""

    code = "already_decided"


class NothingToGive(Conflict):
    """Nothing of the payment is left, or the item owes nothing any more."""

    code = "nothing_to_give"
    remedy = "Look again: another payment may have settled it. A proposal that does not fit any more is to be refused."


class PaymentConflict(Conflict):
    """A payment with this external_id was sent before with other content."""

    code = "payment_conflict"
    remedy = "Use a new external_id for other money; reverse the first payment if it was wrong."


class AlreadyReversed(Conflict):
    """The bank has already taken this money back."""

    code = "already_reversed"
