"""All lines of a long notice as an Excel file: real dates and numbers, and no cell that runs as a formula."""

import io
import unicodedata
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from services.notifier.channels.email import File

KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Cell = str | date | Decimal


def statement(name: str, titles: Sequence[str], rows: Sequence[Sequence[Cell]]) -> File:
    """The file `<name>.xlsx`: one heading line, then the rows."""
    from openpyxl import Workbook  # noqa: PLC0415 - 15 MB that few notices need
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415

    book = Workbook(write_only=True)
    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    for row in [titles, *rows]:
        cells = [WriteOnlyCell(sheet, _printable(value)) for value in row]  # type: ignore[arg-type]  # takes these
        for cell, value in zip(cells, row, strict=True):
            if isinstance(value, str):
                cell.data_type = "s"
            elif isinstance(value, date):
                cell.number_format = "yyyy-mm-dd"
            else:
                cell.number_format = f"#,##0.{'0' * -int(value.as_tuple().exponent)}".rstrip(".")
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    words = "\n".join(str(value) for row in rows for value in row if isinstance(value, str))
    return File(f"{name}.xlsx", KIND, out.getvalue(), words)


def _printable(value: Cell) -> Cell:
    """XML has no control characters."""
    if not isinstance(value, str):
        return value
    return "".join(each for each in value if unicodedata.category(each) not in ("Cc", "Cs", "Cn"))
