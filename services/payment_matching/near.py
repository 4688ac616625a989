"""Numbers written almost right: one slip of a finger, a letter read for a digit, the end cut off, the serial alone.

Protects: slips are looked for among one payer's own items only. In serial numbering a number with one wrong digit is
nearly always another live number (notes/matching.md §4.4), so what is near names an item only to somebody whose
account is known, and only as the weakest kind of quote. Distance is Damerau's (CACM 7, 1964): one character added,
lost, changed, or two neighbours swapped.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from services.payment_matching.evidence import Item, Quoted, Read

SHORTEST = 5
CUT_SHORTEST = 4
WIDEST = 4
COMPARED = 20_000
"""Windows of text times items that one payment may take: five numbers that nothing explains, 200 items."""
_GROUPS = re.compile(r"[0-9]+", re.ASCII)
_AS_DIGITS = str.maketrans({"O": "0", "I": "1", "L": "1", "S": "5", "B": "8", "Z": "2", "G": "6"})


def near(read: Read, unread: Iterable[int], items: Sequence[Item]) -> list[Quoted]:
    """The items that a number nothing explains may mean; `unread` are the places of such numbers.

    `count` of each quote says how many items are as near to the same words. The work is bounded: what would take more
    comparisons than `COMPARED` is not looked for, and among so many items a slip would mean nothing anyhow.
    """
    found: list[Quoted] = []
    left = COMPARED
    for place in unread:
        windows = _windows(read.pieces[: read.said], place)
        left -= len(windows) * len(items)
        if left < 0:
            break
        meant = [(item, span) for item in items if (span := _meant(windows, item))]
        found += [Quoted(item.item_id, "near", item.number, len(meant), span) for item, span in meant]
    return found


def _windows(pieces: Sequence[str], place: int) -> list[tuple[str, tuple[int, int], bool]]:
    """Runs of pieces around a place as digits, with their span and whether the text ends with them."""
    found = []
    for start in range(max(0, place - WIDEST + 1), place + 1):
        for end in range(place + 1, min(len(pieces), start + WIDEST) + 1):
            row = pieces[start:end]
            digits = "".join(part if part.isdigit() else part.translate(_AS_DIGITS) for part in row)
            if digits.isdigit():
                found.append((digits.lstrip("0"), (start, end), end == len(pieces)))
            whole = "".join(part for part in row if part.isdigit())
            if whole != digits:
                found.append((whole.lstrip("0"), (start, end), end == len(pieces)))
    return found


def _meant(windows: Sequence[tuple[str, tuple[int, int], bool]], item: Item) -> tuple[int, int] | None:
    names = _names(item.number)
    for digits, span, last in windows:
        if any(one_slip(digits, name) or _tail(digits, name) or (last and _cut(digits, name)) for name in names):
            return span
    return None


@lru_cache(maxsize=20_000)
def _names(number: str) -> tuple[str, ...]:
    groups = _GROUPS.findall(number)
    found = (bare for one in (*groups, "".join(groups)) if len(bare := one.lstrip("0")) >= SHORTEST)
    return tuple(dict.fromkeys(found))


def _tail(digits: str, name: str) -> bool:
    """`25735` of `20260625735`: which digits are the serial, the payer's own items show."""
    return CUT_SHORTEST <= len(digits) < len(name) and name.endswith(digits)


def _cut(digits: str, name: str) -> bool:
    return CUT_SHORTEST <= len(digits) < len(name) <= len(digits) + 3 and name.startswith(digits)


def one_slip(one: str, other: str) -> bool:
    """Whether two texts are the same but for at most one slip."""
    if abs(len(one) - len(other)) > 1 or min(len(one), len(other)) < SHORTEST - 1:
        return False
    if one == other:
        return True
    start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, others = one[start:], other[start:]
    return (
        rest[1:] == others[1:]
        or rest[1:] == others
        or rest == others[1:]
        or (rest[:2] == others[:2][::-1] and rest[2:] == others[2:])
    )
