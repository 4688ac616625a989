"""What invoice_ingest refuses, by name. Refused: nothing was taken. A doubt is something else: it is quarantined.

Refused (422)
├── TermsUnreadable          the payment terms are not in the language of `terms.py`
│   └── TermsAmbiguous       two readings, two dates: the sender must say which
├── DocumentUnreadable       not an invoice document that can be read
│   └── DocumentHostile      built to harm its reader: doctype, depth, size
└── ContractBroken           a field of the canonical contract is missing or wrong
"""

from libs.common.errors import Refused, RelanceError


class TermsUnreadable(Refused):
    """The payment terms are not understood."""

    code = "terms_unreadable"
    remedy = 'Send a due_date, or terms such as "30 days", "30 days, end of month" or "end of month, 45 days".'


class TermsAmbiguous(TermsUnreadable):
    """The payment terms have two readings that end on different days."""

    code = "terms_ambiguous"
    remedy = (
        'Send the due_date that is printed on the invoice, or say which comes first: "45 days, end of month" '
        'or "end of month, 45 days".'
    )


class DocumentUnreadable(Refused):
    """This is not an invoice document that can be read."""

    code = "document_unreadable"
    remedy = "Send UBL 2.1, UN/CEFACT CII, or a Factur-X or ZUGFeRD PDF with its XML inside."


class DocumentHostile(DocumentUnreadable):
    """This document is built to harm its reader."""

    code = "document_hostile"
    remedy = "Send it without DOCTYPE, entities and oversized parts."


class ContractBroken(Refused):
    """A field is missing or wrong."""

    code = "contract_broken"
    remedy = "Correct the field and send the object again."


class Doubt(RelanceError):
    """Readable, but not to be trusted without a person: it waits in quarantine."""

    code = "doubt"
    status = 202

    def __init__(self, reason: str, detail: str, *, field: str | None = None, remedy: str = "") -> None:
        super().__init__(detail, field=field, remedy=remedy)
        self.reason = reason
