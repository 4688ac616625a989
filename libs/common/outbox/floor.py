"""Below which place of the outbox nothing is left and nothing can still appear.

Rows that were moved leave their index entries behind for a while, so a read from the start grows slow; a read from
"the last one" would skip rows, because identity values commit out of order. What is certain follows from snapshots:
a transaction draws its `seq` after it has its xid (`record` sees to that), so once every transaction that had an xid
when row M had been read has ended, every row up to M is either there to be read or will never be.
"""

from dataclasses import dataclass


@dataclass
class Floor:
    """`value` is where reading may begin: call `look` before each read and `read` after what it gave was dealt with."""

    value: int = 0
    _certain: int = 0
    _seen: int = 0
    _mark: int = 0
    _horizon: int = 0

    def look(self, xmin: int, xmax: int) -> None:
        """The snapshot's bounds, taken after the previous read and before the next."""
        if xmin >= self._horizon:
            self._certain, self._mark, self._horizon = self._mark, self._seen, xmax

    def read(self, last: int | None, *, more: bool, clean: bool) -> None:
        """`last` is the highest seq that was read; `more` says that the read stopped at its limit, `clean` that all
        of it was moved and no topic was left out."""
        if last is not None:
            self._seen = max(self._seen, last)
        if clean:
            reached = self._certain if not more or last is None else min(self._certain, last)
            self.value = max(self.value, reached)
