"""What comes back to our mailbox: a bounce (RFC 3464), an absence note (RFC 3834), a customer's answer."""

from email import policy
from email.message import EmailMessage, Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import make_msgid


def bounce(original: EmailMessage, recipient: str, status: str = "5.1.1") -> bytes:
    """The mail server's report that an address does not exist."""
    report = MIMEMultipart("report", report_type="delivery-status")
    host = recipient.rpartition("@")[2]
    _address(report, f"MAILER-DAEMON@{host}", original, "Undelivered Mail Returned to Sender")
    report["Auto-Submitted"] = "auto-replied"
    report.attach(MIMEText("Le message n'a pas pu être remis : adresse inconnue.", "plain", "utf-8"))
    facts = Message()
    facts["Reporting-MTA"] = f"dns; mx.{host}"
    per_recipient = Message()
    per_recipient["Final-Recipient"] = f"rfc822; {recipient}"
    per_recipient["Action"] = "failed"
    per_recipient["Status"] = status
    per_recipient["Diagnostic-Code"] = f"smtp; 550 {status} unknown user"
    delivery = Message()
    delivery.set_type("message/delivery-status")
    delivery.set_payload([facts, per_recipient])
    report.attach(delivery)
    returned = EmailMessage(policy=policy.SMTP)
    for name in ("Message-ID", "Subject", "From", "To"):
        returned[name] = str(original[name])
    report.attach(MIMEMessage(returned))
    return report.as_bytes(policy=policy.SMTP)


def answer(original: EmailMessage, sender: str, text: str) -> bytes:
    """A person's reply, in the thread."""
    reply = EmailMessage(policy=policy.SMTP)
    _address(reply, sender, original, f"RE: {original['Subject']}")
    quoted = "\n".join(f"> {line}" for line in _text(original).splitlines()[:12])
    reply.set_content(f"{text}\n\n{quoted}\n")
    return reply.as_bytes()


def absence(original: EmailMessage, sender: str) -> bytes:
    """An automatic answer, which is no answer."""
    note = EmailMessage(policy=policy.SMTP)
    _address(note, sender, original, f"Absence : {original['Subject']}")
    note["Auto-Submitted"] = "auto-replied"
    note.set_content("Je suis absent du bureau. Votre message sera lu à mon retour.")
    return note.as_bytes()


def _address(message: Message, sender: str, original: EmailMessage, subject: str) -> None:
    message["From"] = sender
    message["To"] = str(original["Reply-To"] or original["From"])
    message["Subject"] = subject
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["In-Reply-To"] = str(original["Message-ID"])
    message["References"] = str(original["Message-ID"])


def _text(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    return str(body.get_content()) if body else ""
