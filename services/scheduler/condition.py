"""Conditions as they are used: checked against the fields there are, compiled once, asked often.

The rule it protects: a condition holds only when it is true beyond doubt. A fact that nobody knows, or an amount in
a currency that the condition does not name, is neither true nor false: `and`, `or` and `not` keep it unknown (Kleene),
and what is unknown does not hold.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import islice, product
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Literal

from libs.common.money import Money
from services.scheduler.expression import (
    Among,
    Amounts,
    Compared,
    Days,
    Every,
    Field,
    Fixed,
    Known,
    Node,
    Not,
    Some,
    Sum,
    parse,
    refused,
    show,
)

Kind = Literal["yes_no", "number", "text", "date", "days", "amount"]
Answer = bool | None
Read = Callable[[Any, Any], Any]
"""(item, day) → the fact: bool, int or Decimal, str, date, whole days as int, Money; None when nobody knows."""
SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
NAMES: Mapping[Kind, str] = {
    "yes_no": "yes or no", "number": "a number", "text": "a text", "date": "a date", "days": "a number of days",
    "amount": "an amount",
}  # fmt: skip
EXAMPLES: Mapping[Kind, str] = {
    "yes_no": "Write the field alone, or not before it.", "number": "Write a number like 2.",
    "text": "Write a text in quotes like 'slow'.", "date": "Write a date like 2026-09-01, or today.",
    "days": "Write 30 days.", "amount": "Write an amount with its currency, like 1000.00 EUR.",
}  # fmt: skip
TRIED = 20_000
"""Combinations of values after which a condition is taken to be possible."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A field of the vocabulary: its kind, where it is read, and what it can be."""

    name: str
    kind: Kind
    read: Read
    fr: str
    en: str
    values: tuple[str, ...] = ()
    """All texts it can be; empty: any."""
    nullable: bool = False
    timed: bool = False
    """Time alone changes it."""
    least: int | None = None
    """The smallest it can be."""


Vocabulary = Mapping[str, Fact]


@dataclass(frozen=True)
class Condition:
    """A condition that was understood: `text` in its canonical spelling."""

    tree: Node
    vocabulary: Vocabulary

    @classmethod
    def of(cls, text: str, vocabulary: Vocabulary) -> "Condition":
        """Raises ConditionInvalid with the column, what was expected, and a remedy."""
        tree = parse(text)
        kind = _kind(tree, vocabulary)
        if kind != "yes_no":
            raise refused(1, "something that is true or false", NAMES[kind], "Compare it, like item.cycle > 1.")
        return cls(tree, vocabulary)

    @cached_property
    def text(self) -> str:
        return show(self.tree)

    @cached_property
    def fields(self) -> frozenset[str]:
        """The fields it asks for."""
        return frozenset(node.name for node in walked(self.tree) if isinstance(node, Field))

    @cached_property
    def timed(self) -> bool:
        """Whether time alone can change the answer."""
        return any(self.vocabulary[name].timed for name in self.fields)

    @cached_property
    def answer(self) -> Callable[[Any, Any], Answer]:
        """(item, day) → true, false, or None when nobody can tell. Compiled once."""
        return _compiled(self.tree, lambda name: self.vocabulary[name].read)

    def holds(self, item: Any, day: Any) -> bool:
        """Whether it is true beyond doubt."""
        return self.answer(item, day) is True

    def possible(self, least: Mapping[str, int] | None = None) -> bool:
        """Whether any values of its fields make it true; `least` says how small some of them can be.

        Tries every value at which some comparison turns; beyond 20,000 combinations, and where dates are reckoned
        with, it answers yes.
        """
        if any(isinstance(node, Sum) for node in walked(self.tree)):
            return True
        ask = _compiled(self.tree, lambda name: lambda world, _: world[name])
        names = sorted(self.fields)
        worlds = product(*(_values(self.vocabulary[name], self.tree, (least or {}).get(name)) for name in names))
        tried = 0
        for values in islice(worlds, TRIED):
            tried += 1
            if ask(dict(zip(names, values, strict=True)), None) is True:
                return True
        return tried == TRIED


def walked(node: Node) -> Iterator[Node]:
    """The node and everything in it."""
    yield node
    match node:
        case Not(of) | Known(of):
            yield from walked(of)
        case Every(parts) | Some(parts):
            for part in parts:
                yield from walked(part)
        case Compared(left, _, right) | Sum(left, _, right):
            yield from walked(left)
            yield from walked(right)
        case Among(left, values):
            yield from walked(left)
            yield from values


def _kind(node: Node, vocabulary: Vocabulary) -> Kind:  # noqa: PLR0911 - one a kind of node
    """The kind of a node. Raises ConditionInvalid where kinds do not fit."""
    match node:
        case Fixed():
            return _kind_of_value(node)
        case Field():
            return _known_field(node, vocabulary).kind
        case Not(of):
            return _wanted("yes_no", of, vocabulary)
        case Every(parts) | Some(parts):
            for part in parts:
                _wanted("yes_no", part, vocabulary)
            return "yes_no"
        case Known(of):
            if not isinstance(of, Field):
                raise refused(node.column, "a field before is known", show(of), "Write profile.delay is known.")
            _known_field(of, vocabulary)
            return "yes_no"
        case Compared(left, sign, right):
            _comparable(node, left, sign, right, vocabulary)
            return "yes_no"
        case Among(left, values):
            for value in values:
                _comparable(node, left, "=", value, vocabulary)
            return "yes_no"
        case Sum():
            return _kind_of_sum(node, vocabulary)


def _kind_of_value(node: Fixed) -> Kind:
    kinds: tuple[tuple[type, Kind], ...] = (
        (bool, "yes_no"), (Decimal, "number"), (str, "text"), (date, "date"), (Days, "days"), (Amounts, "amount"),
    )  # fmt: skip
    return next(kind for type_, kind in kinds if isinstance(node.value, type_))


def _known_field(node: Field, vocabulary: Vocabulary) -> Fact:
    found = vocabulary.get(node.name)
    if found is None:
        family = [name for name in vocabulary if name.partition(".")[0] == node.name.partition(".")[0]]
        told = f"Fields here: {', '.join(sorted(family or vocabulary))}."
        raise refused(node.column, "a field", f"“{node.name}”", told)
    return found


def _wanted(kind: Kind, node: Node, vocabulary: Vocabulary) -> Kind:
    found = _kind(node, vocabulary)
    if found != kind:
        raise refused(node.column, NAMES[kind], f"{NAMES[found]}, {show(node)}", "Compare it, like item.cycle > 1.")
    return found


def _comparable(node: Node, left: Node, sign: str, right: Node, vocabulary: Vocabulary) -> None:
    first, second = _kind(left, vocabulary), _kind(right, vocabulary)
    if first != second:
        raise refused(right.column, NAMES[first], f"{NAMES[second]}, {show(right)}", EXAMPLES[first])
    if first in ("text", "yes_no") and sign not in ("=", "!="):
        raise refused(node.column, "= or !=", f"“{sign}”", f"{NAMES[first].capitalize()} has no order.")
    if isinstance(left, Fixed) and isinstance(left.value, Amounts) and isinstance(right, Fixed):
        raise refused(right.column, "a field beside an amount", show(right), "Write item.residual >= 1000.00 EUR.")
    for field, other in ((left, right), (right, left)):
        if isinstance(field, Field) and isinstance(other, Fixed) and isinstance(other.value, str):
            values = vocabulary[field.name].values
            if values and other.value not in values:
                told = f"{field.name} is one of {', '.join(values)}."
                raise refused(other.column, f"one of {', '.join(values)}", f"“{other.value}”", told)


def _kind_of_sum(node: Sum, vocabulary: Vocabulary) -> Kind:
    kinds = (_kind(node.left, vocabulary), node.sign, _kind(node.right, vocabulary))
    known: Mapping[tuple[Kind, str, Kind], Kind] = {
        ("number", "+", "number"): "number", ("number", "-", "number"): "number",
        ("days", "+", "days"): "days", ("days", "-", "days"): "days",
        ("date", "+", "days"): "date", ("date", "-", "days"): "date", ("date", "-", "date"): "days",
    }  # fmt: skip
    found = known.get(kinds)
    if found is None:
        told = f"{NAMES[kinds[0]]} {node.sign} {NAMES[kinds[2]]}"
        raise refused(node.column, "dates, days or numbers that fit", told, "Write today - item.due_date > 30 days.")
    return found


def _compiled(node: Node, reader: Callable[[str], Read]) -> Read:  # noqa: PLR0911 - one a kind of node
    """The node as a function of (item, day)."""
    match node:
        case Fixed(value):
            fixed = _plain(value)
            return lambda item, day: fixed
        case Field(name):
            return reader(name)
        case Known(of):
            read = _compiled(of, reader)
            return lambda item, day: read(item, day) is not None
        case Not(of):
            return _opposite(_compiled(of, reader))
        case Every(parts):
            return _joined([_compiled(part, reader) for part in parts], False)
        case Some(parts):
            return _joined([_compiled(part, reader) for part in parts], True)
        case Compared(left, sign, right):
            return _compared(_compiled(left, reader), SIGNS[sign], _compiled(right, reader))
        case Among(left, values):
            sides = [_compared(_compiled(left, reader), eq, _compiled(value, reader)) for value in values]
            return _joined(sides, True)
        case Sum(left, sign, right):
            return _summed(_compiled(left, reader), 1 if sign == "+" else -1, _compiled(right, reader))


def _plain(value: Any) -> Any:
    if isinstance(value, Days):
        return value.count
    return {money.currency: money.minor for money in value.each} if isinstance(value, Amounts) else value


def _opposite(read: Read) -> Read:
    def opposite(item: Any, day: Any) -> Answer:
        found = read(item, day)
        return None if found is None else not found

    return opposite


def _joined(parts: list[Read], ends: bool) -> Callable[[Any, Any], Answer]:
    """`or` ends with the first true one, `and` with the first false one; else unknown if any is."""

    def joined(item: Any, day: Any) -> Answer:
        unknown = False
        for part in parts:
            found: Answer = part(item, day)
            if found is ends:
                return ends
            unknown = unknown or found is None
        return None if unknown else not ends

    return joined


def _compared(left: Read, sign: Callable[[Any, Any], bool], right: Read) -> Read:
    def compared(item: Any, day: Any) -> Answer:
        first, second = left(item, day), right(item, day)
        if isinstance(first, Money):
            second = _in(first.currency, second)
            first = first.minor
        elif isinstance(second, Money):
            first, second = _in(second.currency, first), second.minor
        return None if first is None or second is None else bool(sign(first, second))

    return compared


def _in(currency: str, amount: Any) -> int | None:
    """Minor units of this currency: of an amount, or of the one among several that is in it."""
    if isinstance(amount, Money):
        return amount.minor if amount.currency == currency else None
    return None if amount is None else amount.get(currency)


def _summed(left: Read, sign: int, right: Read) -> Read:
    def summed(item: Any, day: Any) -> Any:
        first, second = left(item, day), right(item, day)
        if first is None or second is None:
            return None
        if not isinstance(first, date):
            return first + sign * second
        try:
            return (first - second).days if isinstance(second, date) else first + sign * timedelta(days=second)
        except OverflowError:  # beyond the calendar: nobody can tell
            return None

    return summed


def _values(fact: Fact, tree: Node, least: int | None) -> Iterable[Any]:
    """Values of a field at which some comparison of the condition turns, and one beyond each."""
    fixed = [
        _plain(node.value) for node in walked(tree) if isinstance(node, Fixed) and _kind_of_value(node) == fact.kind
    ]
    found: set[Any] = set()
    if fact.kind == "yes_no":
        found = {True, False}
    elif fact.kind == "text":
        found = set(fact.values) or {*fixed, "\0"}
    elif fact.kind == "date":
        found = {day + timedelta(days=n) for day in fixed for n in (-1, 0, 1)} or {date(2026, 1, 1), date(2026, 1, 2)}
    elif fact.kind == "amount":
        turns = {(currency, minor + n) for each in fixed for currency, minor in each.items() for n in (-1, 0, 1)}
        found = {Money(minor, currency) for currency, minor in turns | {("EUR", 1), ("XXX", 1)}}
        found = {money for money in found if money.minor >= (fact.least or 0)}
    else:
        floor = max((bound for bound in (fact.least, least) if bound is not None), default=None)
        found = {value + n for value in {0, *fixed} for n in (-1, 0, 1)} | ({floor} if floor is not None else set())
        found = {value for value in found if floor is None or value >= floor}
    return [*sorted(found, key=repr), *((None,) if fact.nullable else ())]
