"""A step's condition as rows that a person fills in: a field, a sign, a value, and every row must hold.

The condition is a text of the scheduler's small language, which alone judges it: what is typed here is written down
as it is where it cannot be read, so that the linter tells the mistake at its place. A condition that rows cannot say
(`or`, brackets, sums) stays a text, and no row ever changes what it means.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from libs.common.errors import RelanceError
from services.console.pages.asking import read_day
from services.console.pages.forms import amount

SIGNS = ("=", "!=", "<", "<=", ">", ">=")
NO = frozenset({"no", "non", "false", "faux"})
YES = frozenset({"", "yes", "oui", "true", "vrai"})
TODAY = frozenset({"today", "aujourd'hui", "aujourd’hui"})
_FIELD = r"(?P<field>[a-z_]+(?:\.[a-z_]+)?)"
_COMPARED = re.compile(_FIELD + r" (?P<sign><=|>=|!=|[=<>]) (?P<value>[^()\[\]]+|\[[^\[\]]+\])")
_AMONG = re.compile(_FIELD + r" (?P<sign>not in|in) \((?P<value>[^()]+)\)")
_FACT = re.compile(r"(?P<sign>not )?" + _FIELD)
_DAYS = re.compile(r"(-?\d+)(?: (?:days?|jours?|j))?")
_SUM = re.compile(r"(?P<number>[\d\s\u00a0\u202f.,']+)(?P<currency>[A-Z]{3}|€)")
_READ = {
    "days": re.compile(r"-?\d+ days?"),
    "number": re.compile(r"-?\d+(\.\d+)?"),
    "date": re.compile(r"\d{4}-\d\d-\d\d|today"),
    "amount": re.compile(r"\d+\.?\d* [A-Z]{3}|\[\d+\.?\d* [A-Z]{3}(, \d+\.?\d* [A-Z]{3})+\]"),
}
"""What a value of a kind is, once it was read."""
Kinds = Mapping[str, str]
"""Field → its kind: yes_no, number, text, date, days, amount."""


@dataclass(frozen=True, slots=True)
class Term:
    """One row, as people type it."""

    field: str
    sign: str
    value: str


def terms_of(text: str | None, kinds: Kinds) -> list[Term] | None:
    """A condition as rows; none for none, and None for one that rows cannot say."""
    if not text:
        return []
    found = [_term(part, kinds) for part in text.split(" and ")]
    known = [each for each in found if each is not None]
    return known if len(known) == len(found) and text_of(known, kinds) == text else None


def text_of(terms: Sequence[Term], kinds: Kinds) -> str | None:
    """The condition that rows say; None without any."""
    parts = [_part(term, kinds.get(term.field, "")) for term in terms if term.field]
    return " and ".join(parts) or None


def unread(term: Term, kind: str, values: Collection[str]) -> bool:
    """Whether the value of a row is none of its kind, or none of the only `values` that its field can have."""
    value = " ".join(term.value.split())
    if kind == "yes_no":
        return term.sign not in ("=", "!=") or value.lower() not in YES | NO
    if kind == "text":
        return bool(values) and not {each.strip() for each in value.split(",")} <= {*values}
    return kind in _READ and not _READ[kind].fullmatch(_WRITTEN[kind](value))


def _term(part: str, kinds: Kinds) -> Term | None:
    if among := _AMONG.fullmatch(part):
        names = [each.strip()[1:-1] for each in among["value"].split(",")]
        return Term(among["field"], "=" if among["sign"] == "in" else "!=", ", ".join(names))
    if compared := _COMPARED.fullmatch(part):
        kind = kinds.get(compared["field"], "")
        return Term(compared["field"], compared["sign"], _shown(compared["value"], kind))
    if fact := _FACT.fullmatch(part):
        return Term(fact["field"], "!=" if fact["sign"] else "=", "")
    return None


def _shown(value: str, kind: str) -> str:
    """A value as the row has it: without quotes, brackets and the word for days."""
    if kind == "days" and (days := _DAYS.fullmatch(value)):
        return days[1]
    if kind == "amount":
        return value.strip("[]").replace(", ", "; ")
    return value[1:-1] if kind == "text" else value


def _part(term: Term, kind: str) -> str:
    value = " ".join(term.value.split())
    if kind == "yes_no" and term.sign in ("=", "!=") and value.lower() in YES | NO:
        return term.field if (term.sign == "=") == (value.lower() in YES) else f"not {term.field}"
    if kind == "text" and term.sign in ("=", "!=") and "," in value:
        names = ", ".join(_quoted(each.strip()) for each in value.split(","))
        return f"{term.field} {'in' if term.sign == '=' else 'not in'} ({names})"
    return f"{term.field} {term.sign} {_WRITTEN[kind](value) if kind in _WRITTEN else value}".rstrip()


def _days(value: str) -> str:
    days = _DAYS.fullmatch(value)
    if days is None:
        return value
    return f"{days[1]} day" if days[1].lstrip("-") == "1" else f"{days[1]} days"


def _number(value: str) -> str:
    return value.replace(",", ".")


def _amounts(value: str) -> str:
    each = [_amount(one.strip()) for one in value.strip("[]").split(";")]
    return each[0] if len(each) == 1 else f"[{', '.join(each)}]"


def _amount(value: str) -> str:
    typed = _SUM.fullmatch(value)
    if typed is None:
        return value
    currency = "EUR" if typed["currency"] == "€" else typed["currency"]
    try:
        wire = amount(typed["number"], currency).wire()
    except RelanceError:  # the scheduler says what is wrong with it
        return value
    return f"{wire['amount']} {currency}"


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"


def _date(value: str) -> str:
    if value.lower() in TODAY:
        return "today"
    try:
        return read_day(value).isoformat()
    except ValueError:  # the scheduler says what is wrong with it
        return value


_WRITTEN: Mapping[str, Callable[[str], str]] = {
    "days": _days, "number": _number, "amount": _amounts, "text": _quoted, "date": _date,
}  # fmt: skip
