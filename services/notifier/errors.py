"""Refusals that only the notifier knows.

Refused
├── TemplateRefused        a text that does not parse, names an unknown word, or grows without end
├── RecipientRefused       an address that is not typed, not of the debtor, or suppressed
└── MailUnreadable         raw MIME in which nothing can be found
Conflict
├── NotOpen                the notice, delivery or task is past the point where this is possible
└── SecondPerson           four eyes: the same person cannot be both pairs
GuardStopped               final bytes that must not leave
WrongDoor                  `sending: catcher`, and the mail host is in the world
"""

from libs.common.errors import Conflict, Refused, RelanceError


class TemplateRefused(Refused):
    """The text cannot be used as a template."""

    code = "template_refused"
    remedy = "Use the words listed under /v1/templates, and the blocks [[lines]], [[payment]] and [[signature]]."


class RecipientRefused(Refused):
    """The recipient cannot be written to."""

    code = "recipient_refused"
    remedy = "Choose a contact of the debtor, or an address in a domain of its contacts."


class MailUnreadable(Refused):
    """The message cannot be read."""

    code = "mail_unreadable"
    remedy = "Post the raw message as it arrived, headers first."


class NotOpen(Conflict):
    """It is past the point where this is possible."""

    code = "not_open"


class SecondPerson(Conflict):
    """Another person must say so."""

    code = "second_person"
    remedy = "Ask a colleague who has neither proposed nor approved it."


class GuardStopped(RelanceError):
    """The message must not leave."""

    code = "guard_stopped"
    status = 409


class WrongDoor(RelanceError):
    """The mail host is in the world, and this installation does not send to the world."""

    code = "wrong_door"
    remedy = "Set RELANCE_SENDING=live, or point RELANCE_SMTP_HOST at the catcher."
