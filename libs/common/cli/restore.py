"""`relance restore`: after PostgreSQL was restored to an earlier point, until a person says that mails may leave.

`begin` before the services start; they hear the topics again and nothing leaves; `end` when `status` shows nothing
left to hear.
"""

import asyncio
from dataclasses import asdict
from datetime import datetime
from importlib import import_module
from typing import Annotated

import typer

from libs.common import rewound
from libs.common.cli.output import AsJson, answer, answer_rows
from libs.common.settings import Settings

app = typer.Typer(name="restore", help="Recovery after PostgreSQL was restored to an earlier point.")


@app.callback()
def restore() -> None:
    """Recovery after PostgreSQL was restored to an earlier point."""


def _instant(text: str) -> datetime:
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("give an ISO instant, such as 2026-11-23T05:40:00Z") from None
    if told.tzinfo is None:
        raise typer.BadParameter("say the zone too, such as 2026-11-23T05:40:00Z or …+01:00")
    return told


RestoredTo = Annotated[datetime, typer.Option("--restored-to", parser=_instant, help="The restore point, with zone.")]


@app.command("begin")
def begin(restored_to: RestoredTo, as_json: AsJson = False) -> None:
    """No mail and no message leaves; every service hears again what was told since an hour before. Safe to repeat."""
    remember = import_module("services.scheduler.adopting").adopt
    done = asyncio.run(rewound.begin(Settings.from_env(), restored_to, remember))
    line = f"Recovering: nothing leaves. Partitions set back: {sum(done.groups.values())}. Start the services."
    answer({"restored_to": restored_to, **asdict(done)}, as_json=as_json, line=line)


@app.command("status")
def status(as_json: AsJson = False) -> None:
    """What each service has still to hear, and what it set aside; without a restore point it does not recover."""
    rows = [asdict(each) for each in asyncio.run(rewound.status(Settings.from_env()))]
    answer_rows(rows, as_json=as_json, columns=["service", "restored_to", "to_hear", "set_aside"])


@app.command("end")
def end(as_json: AsJson = False) -> None:
    """Adopt what own events say was sent, leave the rest to a person, let mails go again. Refused (1) too early."""
    settle = import_module("services.notifier.adopting").adopt
    done = asyncio.run(rewound.end(Settings.from_env(), settle))
    line = f"Ended. Adopted as sent: {done.sent} notices. Uncertain: {done.uncertain}; see `relance uncertain list`."
    answer(asdict(done), as_json=as_json, line=line)
