"""`evaluate`: files in, figures and decisions out."""

import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.settings import Settings
from services.payment_matching.evaluation import figures
from services.payment_matching.evaluation.figures import Judged
from services.payment_matching.evaluation.files import Files
from services.payment_matching.evaluation.matcher import matchers
from services.payment_matching.evaluation.running import Decided, Run, run
from services.payment_matching.evaluation.scratch import SERVICE, command, scratch
from services.payment_matching.evaluation.staging import fill

NOTHING = ("", False, (), (), 0.0, 0.0, "none", ())


async def evaluate(
    settings: Settings, files: Files, tell: Callable[[str], None], *, learn: bool, processes: int = 1
) -> tuple[dict[str, Any], Run]:
    """Measure the pipeline on these files, in a database of its own, by one matcher process or several.

    Several share the payments as services do, so what they decide is not the same every time.

    Raises StackError when none can be had, Unavailable when it does not answer in time.
    """
    tell("A scratch database is made …")
    try:
        return await _measured(settings, files, tell, learn=learn, processes=processes)
    except TimeoutError:
        raise Unavailable(
            "The scratch database did not answer in time.", remedy="Measure again when the machine is less busy."
        ) from None


async def _measured(
    settings: Settings, files: Files, tell: Callable[[str], None], *, learn: bool, processes: int
) -> tuple[dict[str, Any], Run]:
    async with scratch(settings) as own:
        database = Database(own, SERVICE, "loop")
        try:
            stage = await fill(database, files)
            await command(own.admin_url or "", "vacuum analyze")
            async with matchers(own, processes) as started:
                kept = await run(database, stage, files, started, _tenths(tell), learn=learn)
        finally:
            await database.close()
    judged = [
        Judged(_decided(kept, line.id), frozenset(truth.items), truth.kind, line.minor)
        for line in files.payments
        if (truth := files.truth[line.id])
    ]
    facts = {"open_items": len(files.items), "learn": learn, "processes": processes, "without_truth": files.untold}
    return facts | figures.figures(judged) | _speed(kept, len(files.payments)), kept


def _tenths(tell: Callable[[str], None]) -> Callable[[int, int], None]:
    """Says how far it is ten times, not at every batch."""
    said = [0]

    def step(n: int, of: int) -> None:
        if 10 * n // of > said[0]:
            said[0] = 10 * n // of
            tell(f"{n:,} of {of:,} payments")

    return step


def _decided(kept: Run, payment: str) -> Decided:
    return kept.decided.get(payment) or Decided(payment, *NOTHING[1:])


def _speed(kept: Run, count: int) -> dict[str, Any]:
    return {
        "latency_ms": {
            "p50": 1000 * figures.percentile(kept.waits, 0.5),
            "p99": 1000 * figures.percentile(kept.waits, 0.99),
            "max": 1000 * max(kept.waits, default=0.0),
            "slowest_batch": 1000 * max(kept.batches, default=0.0),
        },
        "payments_per_second": count / kept.seconds if kept.seconds else None,
        "received_per_second": count / kept.receiving if kept.receiving else None,
        "cpu_ms_per_payment": 1000 * kept.cpu / max(1, count),
        "matcher_memory_mb": kept.memory_mb,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def write_decisions(path: Path, files: Files, kept: Run) -> None:
    """One JSON object a line, in the order of the payments."""
    with path.open("wb") as file:
        for line in files.payments:
            one = _decided(kept, line.id)
            told = {
                "payment": one.payment,
                "auto": one.auto,
                "items": one.items,
                "suggestions": one.suggestions,
                "score": one.score,
                "share": one.share,
                "shape": one.shape,
                "unsure": one.unsure,
            }
            file.write(orjson.dumps(told) + b"\n")


def table(found: dict[str, Any]) -> list[Sequence[str]]:
    """The figures as rows of (what, value), for a person."""
    auto, precise = found["auto"], found["precision"]
    shown, idle, wait = found["suggestions"], found["null_safety"], found["latency_ms"]
    return [
        ("open items", f"{found['open_items']:,}"),
        ("payments (pay an invoice)", f"{found['payments']:,} ({found['payable']:,})"),
        ("automatic, of those that pay an invoice", _percent(auto["of_payable"])),
        ("automatic by value", _percent(auto["of_payable_by_value"])),
        ("automatic, of all receipts", _percent(auto["of_all"])),
        ("exact-set precision", f"{_percent(precise['exact_set'], 3)} ({precise['wrong']} of {auto['count']:,} wrong)"),
        ("its 95 % one-sided lower bound (Clopper-Pearson)", _percent(precise["lower_95"], 3)),
        ("value matched falsely", _percent(precise["false_value"], 4)),
        ("truth done or first suggestion", _percent(shown["top_1"])),
        ("truth done or among three suggestions", _percent(shown["top_3"])),
        ("of the rest: first, among three", f"{_percent(shown['top_1_of_rest'])}, {_percent(shown['top_3_of_rest'])}"),
        ("automatic on receipts that pay no invoice", f"{idle['auto']} of {idle['receipts']:,}"),
        ("calibration error", _percent(found["calibration_error"])),
        ("a payment takes p50, p99, max", " · ".join(f"{wait[name]:.2f} ms" for name in ("p50", "p99", "max"))),
        ("slowest batch", f"{wait['slowest_batch']:.0f} ms"),
        ("payments a second", f"{found['payments_per_second'] or 0:,.0f}"),
        ("CPU of the matcher a payment", f"{found['cpu_ms_per_payment']:.2f} ms"),
        ("peak memory of a matcher", f"{found['matcher_memory_mb']:.0f} MB"),
        ("of the measurement, with its files", f"{found['peak_memory_mb']:.0f} MB"),
    ]


def _percent(share: float | None, places: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{places}f} %"
