"""Turning what went wrong into one line with its remedy and the documented exit code."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import typer
from typer.main import get_command

from libs.common.devstack.errors import DiskFull, StackError
from libs.common.errors import Forbidden, RelanceError, Unauthenticated, Unavailable
from libs.common.settings import PORTS, SettingMissing

REFUSED, USAGE, UNREACHABLE, CREDENTIALS, STACK, DEFECT = 1, 2, 3, 4, 5, 70

_ELSEWHERE = {"up": "stack", "down": "stack", "topics": "migrate", **dict.fromkeys(PORTS, "services")}
_ELSEWHERE["console"] = "console"
"""Commands whose module has another name."""

_CODES: tuple[tuple[type[RelanceError], int], ...] = (
    (StackError, STACK),
    (Unavailable, UNREACHABLE),
    (Unauthenticated, CREDENTIALS),
    (Forbidden, CREDENTIALS),
    (SettingMissing, USAGE),
    (RelanceError, REFUSED),
)


def guarded(nouns: Sequence[str], argv: Sequence[str]) -> int:
    """Run the command in `argv` and return its exit code."""
    try:
        command = get_command(_assemble(_needed(nouns, argv)))
        command.main(args=list(argv), prog_name="relance")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        return 130
    except BaseExceptionGroup as group:
        return told(_first(group))
    except Exception as error:
        return told(error)
    return 0


def _needed(nouns: Sequence[str], argv: Sequence[str]) -> Sequence[str]:
    """The one module that answers this command, all of them when none is named: a service needs no other noun's
    imports, and memory is counted."""
    word = argv[0] if argv else ""
    noun = _ELSEWHERE.get(word, word.replace("-", "_"))
    return (noun,) if noun in nouns else nouns


def _assemble(nouns: Sequence[str]) -> typer.Typer:
    app = typer.Typer(
        name="relance",
        help="Follow up customer invoices until they are paid.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for noun in nouns:
        app.add_typer(import_module(f"libs.common.cli.{noun}").app)
    return app


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def told(error: BaseException) -> int:
    """Write the error to stderr as one line and its remedy as another; return the exit code."""
    if os.environ.get("RELANCE_DEBUG"):
        traceback.print_exception(error)
    known = _known(error)
    if known is None:
        said = (str(error).splitlines() or [""])[0]
        _write(f"relance: {type(error).__name__}: {said}", "This is a defect of ours; RELANCE_DEBUG=1 shows where.")
        return DEFECT
    where = f"{known.field}: " if known.field else ""
    _write(f"relance: {where}{known.detail}", known.remedy_text)
    return next(code for kind, code in _CODES if isinstance(known, kind))


def _known(error: BaseException) -> RelanceError | None:
    if isinstance(error, RelanceError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull()
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError) and error.filename:
        return RelanceError(f"{error.filename}: {error.strerror}.")
    return None


def _write(line: str, remedy: str) -> None:
    sys.stderr.write(line + "\n" + (f"  → {remedy}\n" if remedy else ""))
