"""`relance mail`: the mails that the development stack's catcher took."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import asdict
from email.message import EmailMessage
from typing import Annotated, Any

import typer

from libs.common.cli.output import AsJson, answer_json, answer_rows
from libs.common.devstack.mail_catcher import serve
from libs.common.devstack.mailbox import Caught, Mailbox
from libs.common.settings import Settings

app = typer.Typer(name="mail", help="Look at the mails that the local catcher took.", no_args_is_help=True)


@app.command("list")
def list_mails(
    to: Annotated[str | None, typer.Option(help="Only mails to an address that contains this.")] = None,
    last: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The caught mails, newest last."""
    mails = [mail for mail in _mailbox().all() if to is None or any(to in address for address in mail.recipients)]
    rows = [_row(mail) if not as_json else asdict(mail) for mail in mails[-last:]]
    answer_rows(rows, as_json=as_json, columns=("number", "date", "to", "subject"))


@app.command("show")
def show(
    number: Annotated[int, typer.Argument(help="The number that `relance mail list` shows.")],
    raw: Annotated[bool, typer.Option(help="The bytes as they were sent.")] = False,
    as_json: AsJson = False,
) -> None:
    """One mail: its headers, its text and the names of what is attached."""
    if raw:
        sys.stdout.buffer.write(_mailbox().raw(number))
        return
    facts = _facts(_mailbox().message(number))
    if as_json:
        answer_json(facts)
        return
    heads = [f"{name}: {facts[name.lower()]}" for name in ("From", "To", "Date", "Subject", "Message-ID")]
    attached = [f"[attached: {name}]" for name in facts["attachments"]]
    sys.stdout.write("\n".join([*heads, "", facts["text"], *attached]) + "\n")


@app.command("serve")
def serve_mails() -> None:
    """Run the catcher in the foreground on the SMTP port of this stack; `relance up` does it for you."""
    settings = Settings.from_env()
    asyncio.run(serve(_mailbox(settings), settings.host, settings.smtp_port))


def _mailbox(settings: Settings | None = None) -> Mailbox:
    return Mailbox((settings or Settings.from_env()).state / "mail")


def _row(mail: Caught) -> dict[str, Any]:
    return {"number": mail.number, "date": mail.date, "to": ", ".join(mail.recipients), "subject": mail.subject}


def _facts(message: EmailMessage) -> dict[str, Any]:
    names = ("From", "To", "Date", "Subject", "Message-ID", "References")
    heads = {name.lower(): str(message.get(name, "")) for name in names}
    return heads | {"text": "\n".join(_texts(message)), "attachments": list(_attached(message))}


def _texts(message: EmailMessage) -> Iterator[str]:
    body = message.get_body(preferencelist=("plain", "html"))
    if body is not None:
        yield str(body.get_content())


def _attached(message: EmailMessage) -> Iterator[str]:
    for part in message.iter_attachments():
        yield part.get_filename() or part.get_content_type()
