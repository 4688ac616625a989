"""The checksum of a read model: two that were made from the same topics have the same, whatever the order was."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.projections.tables import ReadModel


@dataclass(frozen=True, slots=True)
class Checksum:
    """One digest of all, and each table's own (rows and the sum of their hashes), by its name without a prefix."""

    tables: Mapping[str, tuple[int, int]]

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits."""
        told = "\n".join(f"{name} {count} {total}" for name, (count, total) in sorted(self.tables.items()))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def rows(self) -> int:
        return sum(count for count, _ in self.tables.values())

    def differing(self, other: "Checksum") -> list[str]:
        """The tables that are not the same in both."""
        return sorted(name for name, told in self.tables.items() if other.tables.get(name) != told)


async def checksum(db: AsyncConnection, model: ReadModel) -> Checksum:
    """What a set of tables holds. A row's hash covers all its columns; their order in the table does not matter."""
    await db.execute(text("set local timezone = 'UTC'"))
    found = {}
    for table in model.facts:
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        asked = f"select count(*), coalesce(sum(hashtextextended(row({columns})::text, 0)), 0) from {table.name}"  # noqa: S608
        count, total = (await db.execute(text(asked))).one()
        found[table.name.removeprefix(model.prefix)] = (int(count), int(total))
    return Checksum(found)
