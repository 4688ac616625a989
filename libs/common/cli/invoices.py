"""`relance invoices`: files of invoices sent to the service: JSON, NDJSON, CSV, UBL, CII and Factur-X.

Progress goes to stderr, the report to stdout. The exit code is 1 when a line was not taken.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from rich.progress import Progress

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.output import AsJson, answer, console, say
from libs.common.errors import RelanceError, Unavailable
from libs.common.settings import Settings

app = typer.Typer(name="invoices", help="Send invoices to the service.", no_args_is_help=True)

SERVICE = "invoice_ingest"
LINES = 2_000
"""Lines a request: a broken connection then costs little, and sending again is always safe."""
MISSED = ("refused", "quarantined", "conflict")


class NotAllTaken(RelanceError):
    """Some of it was not taken."""

    code = "not_all_taken"
    remedy = "Correct what is listed and send the file again: what was taken stays as it is."


@dataclass
class Report:
    """What became of the lines of all files."""

    counts: Counter[str] = field(default_factory=Counter)
    missed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, file: Path, line: int | None, told: Mapping[str, Any]) -> None:
        """One line's answer."""
        self.counts[told["result"]] += 1
        if told["result"] in MISSED:
            self.missed.append({"file": str(file), "line": line} | {name: told.get(name) for name in _TOLD})


_TOLD = ("external_id", "result", "code", "field", "detail", "remedy")


@app.command("import")
def import_files(
    *,
    files: Annotated[list[Path], typer.Argument(help="JSON, NDJSON, CSV, XML or PDF.", exists=True, dir_okay=False)],
    entity: Annotated[UUID | None, typer.Option(help="The creditor, when the tenant has several.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="JSON: how a CSV file is read.", exists=True)] = None,
    dry_run: Annotated[bool, typer.Option(help="Answer as if, and take nothing.")] = False,
    take_over: Annotated[bool, typer.Option(help="Old history: wait in take-over, chase nothing by itself.")] = False,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Send files of invoices and credit notes, and report what was not taken."""
    client = Client.with_key(Settings.from_env(), api_key)
    flags = {"dry_run": dry_run, "take_over": take_over}
    report = Report()
    with Progress(console=console(), transient=True) as progress:
        task = progress.add_task("sending", total=sum(file.stat().st_size for file in files) or 1)
        for file in files:
            for done in _sent(client, file, report, entity=entity, mapping=mapping, flags=flags):
                progress.advance(task, done)
    _tell(report, as_json)


def _sent(
    client: Client,
    file: Path,
    report: Report,
    *,
    entity: UUID | None,
    mapping: Path | None,
    flags: Mapping[str, bool],
) -> Iterator[int]:
    """Send one file; yields the bytes that are done."""
    kind = file.suffix.lower()
    if kind in (".xml", ".pdf"):
        yield _document(client, file, report, entity, dry_run=flags["dry_run"])
    elif kind in (".csv", ".txt", ".xlsx"):
        yield _table(client, file, report, entity=entity, mapping=mapping, flags=flags)
    else:
        yield from _lists(client, file, report, entity, flags)


def _document(client: Client, file: Path, report: Report, entity: UUID | None, *, dry_run: bool) -> int:
    data = file.read_bytes()
    if dry_run:
        raise RelanceError(f"{file} is a document, and documents are not tried.", remedy="Send it without --dry-run.")
    params = {"name": file.name} | ({"entity_id": str(entity)} if entity else {})
    headers = {"content-type": "application/pdf" if file.suffix.lower() == ".pdf" else "application/xml"}
    try:
        told = client.post(SERVICE, "/v1/documents", content=data, headers=headers, params=params)
    except Unavailable:
        raise
    except RelanceError as refused:
        told = {
            "result": "refused",
            "external_id": file.name,
            "code": refused.code,
            "field": refused.field,
            "detail": refused.detail,
            "remedy": refused.remedy_text,
        }
    report.add(file, None, told)
    return len(data)


def _table(
    client: Client,
    file: Path,
    report: Report,
    *,
    entity: UUID | None,
    mapping: Path | None,
    flags: Mapping[str, bool],
) -> int:
    data = file.read_bytes()
    form = {name: str(value).lower() for name, value in flags.items()}
    form |= {"mapping": mapping.read_text() if mapping else "{}"} | ({"entity_id": str(entity)} if entity else {})
    told = client.post(SERVICE, "/v1/imports", files={"file": (file.name, data)}, data=form)
    report.counts.update(told["counts"])
    report.missed += [
        {"file": str(file), "line": each["line"]} | {n: each[n] for n in _TOLD} for each in told["errors"]
    ]
    return len(data)


def _lists(client: Client, file: Path, report: Report, entity: UUID | None, flags: Mapping[str, bool]) -> Iterator[int]:
    data = file.read_bytes()
    lines = _lines(data)
    headers = {"content-type": "application/x-ndjson"}
    for start in range(0, len(lines), LINES):
        part = [_owned(line, entity) for line in lines[start : start + LINES]]
        told = client.post(
            SERVICE,
            "/v1/invoices/batch",
            content=b"\n".join(part),
            headers=headers,
            params={name: str(value).lower() for name, value in flags.items()},
        )
        for each in told["results"]:
            report.add(file, start + each["line"], each)
        yield len(data) * len(part) // len(lines)


def _lines(data: bytes) -> Sequence[bytes]:
    """A JSON array's elements, one object, or the lines of NDJSON."""
    if data.lstrip()[:1] == b"[":
        return [orjson.dumps(each) for each in orjson.loads(data)]
    return [line for line in data.splitlines() if line.strip()]


def _owned(line: bytes, entity: UUID | None) -> bytes:
    """The line with the creditor that the command names, unless it names its own. What is no JSON is sent as it is."""
    if entity is None:
        return line
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    return orjson.dumps({"entity_id": str(entity)} | told) if isinstance(told, dict) else line


def _tell(report: Report, as_json: bool) -> None:
    for each in report.missed[:20]:
        place = f"{each['file']}:{each['line']}" if each["line"] is not None else each["file"]
        where = f" {each['field']}:" if each["field"] else ""
        say(f"{place}: {each['result']}:{where} {each['detail']}")
        if each["remedy"]:
            say(f"  → {each['remedy']}")
    line = ", ".join(f"{count} {result}" for result, count in sorted(report.counts.items())) or "nothing to send"
    answer({"counts": dict(report.counts), "errors": report.missed}, as_json=as_json, line=line)
    missed = sum(report.counts[result] for result in MISSED)
    if missed:
        raise NotAllTaken(f"{missed} of {sum(report.counts.values())} were not taken.")
