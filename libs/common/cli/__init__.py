"""The `relance` command: every noun in a module of its own, registered here.

The rules it protects: what a program reads is on stdout (`--json`), what a person follows is on stderr, an error is
one line with its remedy, and the exit code says what kind it was:

0 done · 1 refused · 2 wrong usage or setting · 3 not reachable now · 4 credentials · 5 the embedded stack cannot run
· 70 a defect of ours (RELANCE_DEBUG=1 shows where)
"""

import sys
from collections.abc import Sequence

from libs.common.cli.failures import guarded

NOUNS = (
    "services",
    "console",
    "stack",
    "status",
    "migrate",
    "clock",
    "tenant",
    "entity",
    "apikey",
    "source",
    "invoices",
    "statements",
    "ledger",
    "match",
    "explain",
    "charges",
    "credit",
    "recovery",
    "policy",
    "past_reminders",
    "webhook",
    "mail",
    "uncertain",
    "demo",
    "dead_letters",
    "consumers",
    "broker",
    "restore",
)
"""Modules of this package, each with an `app: typer.Typer`: one with a name is a group, one without adds commands."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit code."""
    sys.exit(guarded(NOUNS, sys.argv[1:] if argv is None else argv))
