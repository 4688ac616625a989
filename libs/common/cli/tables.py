"""Tables that a command reads: CSV with a head line, as spreadsheets save it."""

import csv
import io
from pathlib import Path

from libs.common.errors import Refused


def read_table(file: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The names of the head line, and its rows without their empty cells; comma, semicolon or tab.

    Raises Refused for a file that is not UTF-8.
    """
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(f"{file} is not UTF-8.", field="file", remedy="Save it as CSV UTF-8.") from None
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=text.partition("\n")[0].count))
    rows.fieldnames = [(name or "").strip() for name in rows.fieldnames or ()]
    # A cell beyond the head line comes as a list under no name.
    filled = [{k: v.strip() for k, v in row.items() if k and isinstance(v, str) and v.strip()} for row in rows]
    return list(rows.fieldnames), filled
