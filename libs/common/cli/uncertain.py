"""`relance uncertain`: the sends whose end nobody knows, and what a person found out about them.

Nothing here sends: `sent` counts the reminder, `not_sent` lets the scheduler release it anew.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

import typer

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.output import AsJson, answer_rows
from libs.common.settings import Settings

app = typer.Typer(name="uncertain", help="Sends whose end nobody knows: list them, say what became of each.")

NOTIFIER = "notifier"
PAGE = 200
COLUMNS = ["delivery_id", "recipient", "sent_at", "reason", "reply"]


@app.command("list")
def listed(api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """All of them. `unfinished`: the final dot was not written; `no_answer`: the mail server may have it;
    `claim_expired`: nothing more is known; `restored`: it was ready when the database went back in time."""
    client = Client.with_key(Settings.from_env(), api_key)
    rows: list[dict[str, Any]] = []
    page: dict[str, Any] | None = None
    while page is None or page["next"]:
        cursor = page and page["next"]
        page = client.get(NOTIFIER, "/v1/deliveries", state="uncertain", limit=PAGE, cursor=cursor)
        rows += page["deliveries"]
    answer_rows(rows, as_json=as_json, columns=COLUMNS)


@app.command("resolve")
def resolve(
    outcome: Annotated[Literal["sent", "not_sent"], typer.Argument(help="What became of them.")],
    deliveries: Annotated[list[UUID], typer.Argument(help="The delivery_ids that `relance uncertain list` shows.")],
    why: Annotated[str, typer.Option("--why", help="How you know, such as a line of the mail server's log.")],
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """End the doubt about these, in the name of the key's owner. Stops at the first that is not uncertain any more."""
    client = Client.with_key(Settings.from_env(), api_key)
    told = {"outcome": outcome, "why": why}
    rows = [client.post(NOTIFIER, f"/v1/deliveries/{each}/resolve", told) for each in deliveries]
    answer_rows(rows, as_json=as_json, columns=["delivery_id", "recipient", "state", "resolved_by", "resolved_why"])
