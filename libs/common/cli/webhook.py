"""`relance webhook`: sign a body as a source would, and send it.

The secret comes from RELANCE_WEBHOOK_SECRET or a prompt, so that it need not stand in the arguments of a process.
"""

import sys
import time
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import typer

from libs.common.cli.client import answered
from libs.common.cli.output import AsJson, answer
from libs.common.errors import RelanceError
from libs.common.ids import uuid7
from libs.common.settings import Settings
from libs.common.webhooks import sign as signature

app = typer.Typer(name="webhook", help="Sign and send webhooks as one of your systems would.", no_args_is_help=True)

SERVICES = {"invoices": "invoice_ingest", "payments": "payment_matching"}
Body = Annotated[Path, typer.Argument(help="The file with the body; - reads stdin.", allow_dash=True)]
Secret = Annotated[
    str, typer.Option(envvar="RELANCE_WEBHOOK_SECRET", prompt=True, hide_input=True, help="whsec_… of the source.")
]
MessageId = Annotated[str | None, typer.Option("--id", help="webhook-id; the same id and body may be sent again.")]
Stamp = Annotated[int | None, typer.Option("--timestamp", help="Seconds since 1970; now if left out.")]


class SecretUnusable(RelanceError):
    """The secret is not one of a webhook source."""

    code = "secret_unusable"
    remedy = "Use the whsec_… that `relance source add` showed."


def _read(body: Path) -> bytes:
    return sys.stdin.buffer.read() if str(body) == "-" else body.read_bytes()


def signed(secret: str, data: bytes, message_id: str | None, timestamp: int | None) -> dict[str, str]:
    """The three headers of Standard Webhooks for these bytes. Raises SecretUnusable."""
    name, stamp = message_id or f"msg_{uuid7().hex}", timestamp if timestamp is not None else int(time.time())
    try:
        made = signature(secret, name, stamp, data)
    except ValueError:
        raise SecretUnusable from None
    return {"webhook-id": name, "webhook-timestamp": str(stamp), "webhook-signature": made}


@app.command()
def sign(
    body: Body, secret: Secret, message_id: MessageId = None, timestamp: Stamp = None, as_json: AsJson = False
) -> None:
    """Write the headers that make a body genuine."""
    headers = signed(secret, _read(body), message_id, timestamp)
    answer(headers, as_json=as_json, line="\n".join(f"{name}: {value}" for name, value in headers.items()))


@app.command()
def send(
    *,
    body: Body,
    source: Annotated[UUID, typer.Option(help="The id of the source.")],
    secret: Secret,
    purpose: Annotated[Literal["invoices", "payments"], typer.Option(help="What the source tells.")] = "invoices",
    message_id: MessageId = None,
    timestamp: Stamp = None,
    as_json: AsJson = False,
) -> None:
    """Sign a body and post it to its source's address."""
    data = _read(body)
    headers = {"content-type": "application/json"} | signed(secret, data, message_id, timestamp)
    service = SERVICES[purpose]
    url = f"{Settings.from_env().urls[service]}/v1/webhooks/{purpose}/{source}"
    told = answered("POST", url, service, content=data, headers=headers)
    line = " ".join(str(told[name]) for name in ("result", "id", "quarantine_id", "detail") if told.get(name))
    answer(told, as_json=as_json, line=line or "taken")
