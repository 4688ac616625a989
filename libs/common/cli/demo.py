"""`relance demo`: an embedded stack with a believable company and two months of its life."""

import sys
from dataclasses import asdict

import typer

from libs.common.cli.output import AsJson, answer_json
from libs.common.cli.stack import progress
from libs.common.demo.run import play_demo
from libs.common.settings import Settings

app = typer.Typer()


@app.command("demo")
def demo(as_json: AsJson = False) -> None:
    """Start the stack anew with Groupe Valmont: 3 entities, 300 customers, 3,000 invoices, 60 days played."""
    with progress() as tell:
        told = play_demo(Settings.from_env(), tell)
    if as_json:
        answer_json(asdict(told))
        return
    lines = [
        f"Played in {told.seconds:.0f} s.",
        *(f"  {what:<26} {count:>7,}" for what, count in told.figures.items()),
        f"Console   {told.address}",
        f"Login     {told.login}",
        f"Password  {told.password}",
        "Mails     .venv/bin/relance mail list",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
