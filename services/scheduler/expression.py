"""Conditions as written: words to a tree, and the tree to words. What fields there are is not known here.

The rule it protects: a condition is parsed by this grammar and by nothing else; what it does not allow is refused with
its column, what was expected there, and how to write it.

    whole   = both {"or" both}                    both = not {"and" not}              not = "not" not | compared
    compared = sum [("=" | "!=" | "<" | "<=" | ">" | ">=") sum | ["not"] "in" "(" fixed {"," fixed} ")" | "is" ["not"] "known"]
    sum     = atom {("+" | "-") atom}             atom = "(" whole ")" | fixed | field
    fixed   = true | false | 'text' | 2026-09-01 | 12 | 12 days | 12.00 EUR | "[" 12.00 EUR {"," 10.00 GBP} "]"
"""  # noqa: E501 - the grammar reads best as a table

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from libs.common.errors import RelanceError
from libs.common.money import Money
from services.scheduler.errors import ConditionInvalid

LONGEST, DEEPEST = 2_000, 40
"""Characters of a condition; brackets and words within one another."""
YEARS = (1900, 2999)
Comparison = Literal["=", "!=", "<", "<=", ">", ">="]
COMPARISONS: tuple[Comparison, ...] = ("<=", ">=", "!=", "=", "<", ">")
WORDS = frozenset({"and", "or", "not", "in", "is", "known", "true", "false", "days", "day"})


@dataclass(frozen=True, slots=True)
class Days:
    """A number of calendar days."""

    count: int


@dataclass(frozen=True, slots=True)
class Amounts:
    """One amount a currency; a comparison looks up the currency of the other side."""

    each: tuple[Money, ...]


Value = bool | Decimal | str | date | Days | Amounts


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that is written down."""

    value: Value
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """A fact by its name."""

    name: str
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    of: "Node"
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Every:
    """`and`: two or more."""

    parts: tuple["Node", ...]
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Some:
    """`or`: two or more."""

    parts: tuple["Node", ...]
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """Two values against each other."""

    left: "Node"
    sign: Comparison
    right: "Node"
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Among:
    """One of several fixed values."""

    left: "Node"
    values: tuple[Fixed, ...]
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Known:
    """Whether there is such a fact at all."""

    of: "Node"
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Sum:
    """A difference or a sum of dates, days or numbers."""

    left: "Node"
    sign: Literal["+", "-"]
    right: "Node"
    column: int = field(default=0, compare=False)


Node = Fixed | Field | Not | Every | Some | Compared | Among | Known | Sum


def parse(text: str) -> Node:
    """The tree of a condition. Raises ConditionInvalid with the column, what was expected and a remedy."""
    if len(text) > LONGEST:
        raise refused(LONGEST + 1, f"at most {LONGEST} characters", f"{len(text)}", "Split it over several steps.")
    parser = _Parser(_tokens(text), len(text) + 1)
    found = parser.whole()
    parser.end()
    return found


def refused(column: int, expected: str, found: str, remedy: str) -> ConditionInvalid:
    """What is wrong with a condition, and where: columns count from 1."""
    told = f"column {column}: expected {expected}, found {found}"
    return ConditionInvalid(told, remedy=remedy, column=column, expected=expected)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


_LEXED = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d(?!\d))|(?P<number>\d+(?:\.\d+)?)|(?P<text>'[^'\n]*'|\"[^\"\n]*\")"
    r"|(?P<currency>[A-Z]{3}\b)|(?P<word>[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?)"
    r"|(?P<sign><=|>=|!=|[=<>+\-()\[\],])|(?P<blank>\s+)"
)
_UNCLOSED = "Close the text with the quote it began with."
_HINTS = {"&": "Write and.", "|": "Write or.", "!": "Write not, or != to compare.", "'": _UNCLOSED, '"': _UNCLOSED}


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    place = 0
    while place < len(text):
        match = _LEXED.match(text, place)
        if match is None:
            hint = _HINTS.get(text[place], "Fields are words like item.residual; texts stand in quotes.")
            raise refused(place + 1, "a word, a number or a sign", repr(text[place]), hint)
        if match.lastgroup != "blank":
            found.append(_Token(match.lastgroup or "", match.group(), place + 1))
        place = match.end()
    return found


class _Parser:
    """Reads from left to right, one token ahead."""

    def __init__(self, tokens: Sequence[_Token], end: int) -> None:
        self.tokens = tokens
        self.place = 0
        self.depth = 0
        self.over = _Token("end", "", end)

    @property
    def next(self) -> _Token:
        return self.tokens[self.place] if self.place < len(self.tokens) else self.over

    def take(self) -> _Token:
        found = self.next
        self.place += 1
        return found

    def met(self, *texts: str) -> _Token | None:
        """Take the next token if it is one of these words or signs."""
        if self.next.kind in ("word", "sign") and self.next.text in texts:
            return self.take()
        return None

    def need(self, text: str, remedy: str) -> _Token:
        found = self.met(text)
        if found is None:
            raise self.wrong(f"“{text}”", remedy)
        return found

    def wrong(self, expected: str, remedy: str) -> ConditionInvalid:
        found = f"“{self.next.text}”" if self.next.kind != "end" else "the end"
        return refused(self.next.column, expected, found, remedy)

    def end(self) -> None:
        if self.next.kind != "end":
            remedy = "Write = once." if self.next.text == "=" else "Join two conditions with and, or with or."
            raise self.wrong("the end, and, or", remedy)

    def deeper(self, inside: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong(f"at most {DEEPEST} brackets within one another", "Write it flatter.")
        found = inside()
        self.depth -= 1
        return found

    def whole(self) -> Node:
        return self.joined(self.both, "or", Some)

    def both(self) -> Node:
        return self.joined(self.negated, "and", Every)

    def joined(self, one: Callable[[], Node], word: str, kind: type[Every] | type[Some]) -> Node:
        first = one()
        parts = [first]
        while self.met(word):
            parts.append(one())
        return first if len(parts) == 1 else kind(tuple(parts), first.column)

    def negated(self) -> Node:
        found = self.met("not")
        return self.compared() if found is None else Not(self.deeper(self.negated), found.column)

    def compared(self) -> Node:
        left = self.sum()
        sign = self.met(*COMPARISONS)
        if sign is not None:
            if self.met("="):
                raise refused(sign.column, "one sign", f"“{sign.text}=”", "Write = once.")
            return Compared(left, sign.text, self.sum(), sign.column)  # type: ignore[arg-type]
        if (is_ := self.met("is")) is not None:
            negated = self.met("not")
            self.need("known", "Write is known, or is not known.")
            return Not(Known(left, is_.column), is_.column) if negated else Known(left, is_.column)
        return self.among(left)

    def among(self, left: Node) -> Node:
        negated = self.met("not")
        in_ = self.met("in")
        if in_ is None:
            if negated:
                raise self.wrong("“in”", "Write not before the whole comparison, or not in ('a', 'b').")
            return left
        self.need("(", "Write in ('slow', 'strategic').")
        values = [self.fixed()]
        while self.met(","):
            values.append(self.fixed())
        self.need(")", "Close the list with a bracket.")
        found = Among(left, tuple(values), in_.column)
        return Not(found, in_.column) if negated else found

    def sum(self) -> Node:
        found = self.atom()
        while (sign := self.met("+", "-")) is not None:
            found = Sum(found, sign.text, self.atom(), sign.column)  # type: ignore[arg-type]
        return found

    def atom(self) -> Node:
        if self.met("("):
            found = self.deeper(self.whole)
            self.need(")", "Close the bracket.")
            return found
        token = self.next
        if token.kind == "word" and token.text not in WORDS:
            return Field(self.take().text, token.column)
        return self.fixed()

    def fixed(self) -> Fixed:
        token = self.next
        if token.kind in ("number", "date", "text"):
            self.place += 1
            return {"number": self.number, "date": _date, "text": _text}[token.kind](token)
        if (word := self.met("true", "false")) is not None:
            return Fixed(word.text == "true", word.column)
        if self.met("-") is not None:
            if self.next.kind == "number":
                return self.number(self.take(), -1)
            raise self.wrong("a number", "A minus stands before a number.")
        if self.met("[") is not None:
            return self.amounts(token)
        raise self.wrong("a field or a value", "Name a field like item.residual, or write a value like 1000.00 EUR.")

    def number(self, token: _Token, sign: int = 1) -> Fixed:
        """A bare number, a number of days, or an amount."""
        if self.met("days", "day") is not None:
            if not token.text.isdigit() or len(token.text) > 5:
                raise refused(token.column, "a whole number of days", f"“{token.text}”", "Write 30 days.")
            return Fixed(Days(sign * int(token.text)), token.column)
        if self.next.kind == "currency":
            if sign < 0:
                raise refused(token.column, "an amount of zero or more", f"“-{token.text}”", "Leave the minus out.")
            return Fixed(Amounts((self.amount(token),)), token.column)
        if len(token.text) > 15:
            raise refused(token.column, "a shorter number", f"“{token.text}”", "At most 15 digits.")
        return Fixed(sign * Decimal(token.text), token.column)

    def amount(self, token: _Token) -> Money:
        try:
            return Money.parse(token.text, self.take().text)
        except RelanceError as wrong:
            raise refused(token.column, "an amount", f"“{token.text}”: {wrong.detail}", "Write 12.00 EUR.") from None

    def amounts(self, opened: _Token) -> Fixed:
        found: list[Money] = []
        while not found or self.met(","):
            token = self.take()
            if token.kind != "number" or self.next.kind != "currency":
                raise refused(token.column, "an amount", f"“{token.text}”", "Write [1000.00 EUR, 850.00 GBP].")
            found.append(self.amount(token))
        self.need("]", "Close the list of amounts with ].")
        if len({each.currency for each in found}) < len(found):
            raise refused(opened.column, "each currency once", "one twice", "Write one amount a currency.")
        return Fixed(Amounts(tuple(found)), opened.column)


def _text(token: _Token) -> Fixed:
    return Fixed(token.text[1:-1], token.column)


def _date(token: _Token) -> Fixed:
    try:
        found = date.fromisoformat(token.text)
    except ValueError:
        found = date.min
    if not YEARS[0] <= found.year <= YEARS[1]:
        raise refused(token.column, "a day between 1900 and 2999", f"“{token.text}”", "Write 2026-09-01.")
    return Fixed(found, token.column)


def show(node: Node) -> str:  # noqa: PLR0911 - one a kind of node
    """The condition in its one canonical spelling: `parse(show(tree)) == tree`."""
    match node:
        case Fixed(value):
            return _value(value)
        case Field(name):
            return name
        case Not(Known(of)):
            return f"{_inner(of, Sum)} is not known"
        case Not(Among(left, values)):
            return f"{_inner(left, Sum)} not in ({', '.join(map(show, values))})"
        case Not(of):
            return f"not {_inner(of, Not, Known, Among, Compared, Sum)}"
        case Every(parts):
            return " and ".join(_inner(part, Not, Known, Among, Compared, Sum) for part in parts)
        case Some(parts):
            return " or ".join(_inner(part, Every, Not, Known, Among, Compared, Sum) for part in parts)
        case Compared(left, sign, right):
            return f"{_inner(left, Sum)} {sign} {_inner(right, Sum)}"
        case Among(left, values):
            return f"{_inner(left, Sum)} in ({', '.join(map(show, values))})"
        case Known(of):
            return f"{_inner(of, Sum)} is known"
        case Sum(left, sign, right):
            return f"{_inner(left, Sum)} {sign} {_inner(right)}"


def _inner(node: Node, *bare: type) -> str:
    """In brackets, unless it binds closer than what is around it."""
    return show(node) if isinstance(node, (Fixed, Field, *bare)) else f"({show(node)})"


def _value(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Days(count):
            return f"{count} day" if abs(count) == 1 else f"{count} days"
        case Amounts(each):
            amounts = [f"{money.wire()['amount']} {money.currency}" for money in each]
            return amounts[0] if len(amounts) == 1 else f"[{', '.join(amounts)}]"
        case str():
            return f'"{value}"' if "'" in value else f"'{value}'"
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
