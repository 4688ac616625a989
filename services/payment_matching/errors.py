"""What this service refuses, by name.

Refused
├── UnreadableStatement   the file is not a statement we can prove
├── UnknownFormat         the file is of no format known here, or no saved mapping fits the table
├── UnknownAccount        the file tells of an account that belongs to no entity here
├── OverAllocated         more money was to be given than there is, or than is owed
└── OverTolerance         more was to be written off than its kind allows
Conflict
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


class OverTolerance(Refused):
    """More was to be written off than its kind allows."""

    code = "over_tolerance"
    remedy = "Leave the rest owed, or have the invoice credited in the ERP."


class PaymentConflict(Conflict):
    """A payment with this external_id was sent before with other content."""

    code = "payment_conflict"
    remedy = "Use a new external_id for other money; reverse the first payment if it was wrong."


class AlreadyReversed(Conflict):
    """The bank has already taken this money back."""

    code = "already_reversed"
