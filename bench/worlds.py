"""`make bench-matching`: the matcher's targets on shifted worlds, at 100,000 open items or, with `1m`, at a million.

One matcher at 100,000 items, two that share the payments at a million. The worlds' numbering schemes, words, discounts,
fees, withholdings, habits and seeds are none of those that the rules were made with. Each is made and measured by the
commands that anybody has (`relance match generate`, `evaluate`), in processes and a database of its own. Writes
bench/matching.json: the targets, every world whole, and all of them together.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.figures import figure
from services.payment_matching.evaluation.figures import upper_error

RESULTS = Path(__file__).parent / "matching.json"


@dataclass(frozen=True, slots=True)
class World:
    """A world to measure on: a set of knobs, what is unlike it, a seed."""

    name: str
    base: str
    seed: int
    knobs: tuple[str, ...]

    def command(self, folder: str, open_items: int, payments: int) -> list[str]:
        """The arguments of `relance match generate`."""
        size = ["--seed", str(self.seed), "--open", str(open_items), "--payments", str(payments)]
        return [
            "generate",
            folder,
            "--world",
            self.base,
            *size,
            *(part for one in self.knobs for part in ("--knob", one)),
        ]


SHIFTED = (
    World(
        "quay",
        "north",
        9_101,
        (
            "schemes={year}/{branch:03d}-{serial:05d}|Q{serial:06d}.{yy}|{customer}{serial:05d}",
            "labels=AFREKENING|NOTA NR|BETR|PAYMENT OF|",
            "discounts=1.25|2.75",
            "fees=410|930|1475",
            "withholdings=6.5",
            "rounding=7",
            "fractions=0.35|0.65",
            "silent=0.08",
        ),
    ),
    World(
        "ridge",
        "south",
        9_202,
        (
            "schemes={serial:05d}-{letter}{yy}|RD/{year}/{branch}/{serial:04d}|{yy}.{month:02d}.{serial:05d}",
            "labels=CONTO|PAG.TO DOC|RIMESSA|SALDO|",
            "discounts=1.75|3.25",
            "fees=180|640|1900",
            "withholdings=8.0|17.0",
            "rounding=4",
            "catalogue=0.35",
        ),
    ),
    World(
        "moor",
        "east",
        9_303,
        (
            "schemes={serial:07d}{yy}|M-{customer}-{serial:04d}|{year}{branch:02d}{serial:05d}",
            "labels=RAEKNING|BETALNING|AVI|INV NO|",
            "discounts=2.25",
            "fees=330|1120",
            "withholdings=11.0",
            "rounding=30",
            "fractions=0.15|0.55",
        ),
    ),
)
CLEAN = World("clear", "clean", 9_404, ("schemes=CL{year}-{serial:06d}|{yy}-{serial:06d}",))
SIZES: dict[str, tuple[int, int, int, tuple[World, ...]]] = {
    "100k": (100_000, 10_000, 1, (*SHIFTED, CLEAN)),
    "1m": (1_000_000, 10_000, 2, (SHIFTED[0],)),
}
"""Open items, payments, matchers that share them, worlds."""


def measured(world: World, open_items: int, payments: int, processes: int) -> dict[str, Any]:
    """What `relance match evaluate` says of one world, made for it and gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="relance-world-") as folder:
        _relance("match", *world.command(folder, open_items, payments))
        files = [f"--{name}={folder}/{name}.jsonl" for name in ("payments", "truth", "identities")]
        ledger, shared = f"--ledger={folder}/items.jsonl", f"--processes={processes}"
        told = _relance("match", "evaluate", ledger, *files, shared, "--json")
    found: dict[str, Any] = json.loads(told)
    return found


def _relance(*arguments: str) -> str:
    command = [sys.executable, "-m", "libs.common.cli", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def together(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures over several worlds, from their counts."""
    counted: Counter[str] = Counter()
    for each in found:
        counted.update(each["counted"])
        counted.update({"auto": each["auto"]["count"], "wrong": each["precision"]["wrong"]})
        counted.update({"idle": each["null_safety"]["receipts"], "idle_auto": each["null_safety"]["auto"]})
    wrong, auto = counted["wrong"], max(1, counted["auto"])
    return {
        **counted,
        "of_payable": counted["payable_auto"] / counted["payable"],
        "of_payable_by_value": counted["payable_auto_minor"] / counted["payable_minor"],
        "exact_set": 1 - wrong / auto,
        "lower_95": 1 - upper_error(wrong, auto),
        "false_value": counted["wrong_minor"] / max(1, counted["auto_minor"]),
        "top_1": counted["among_1"] / counted["payable"],
        "top_3": counted["among_3"] / counted["payable"],
        "classes": _classes(found),
    }


def _classes(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    sums: dict[str, Counter[str]] = {}
    for each in found:
        for row in each["classes"]:
            kept = sums.setdefault(row["kind"], Counter())
            kept.update({name: row[name] for name in ("payments", "auto", "wrong")})
            kept.update({name: round(row["payments"] * (row[name] or 0)) for name in ("top_1", "top_3")})
    return [
        {"kind": kind, "payments": kept["payments"], "auto": kept["auto"], "wrong": kept["wrong"]}
        | {f"{name}_share": kept[name] / kept["payments"] for name in ("auto", "top_1", "top_3")}
        for kind, kept in sorted(sums.items())
    ]


def rows(size: str, worlds: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The targets of docs/matching.md beside what was measured, as bench/results.json keeps its own."""
    shifted = [worlds[one.name] for one in SHIFTED if one.name in worlds]
    every, wait = together(list(worlds.values())), [each["latency_ms"] for each in shifted]
    pooled = together(shifted)
    rate = min(each["payments_per_second"] for each in shifted)
    idle = 10_000 * every["idle_auto"] / max(1, every["idle"])
    found = [
        figure(f"matched alone of what pays an invoice, {size} open", _p(pooled["of_payable"]), "%", target=85),
        figure("the same by value", _p(pooled["of_payable_by_value"]), "%"),
        figure("exact-set precision", 0, "%", target=99.98) | _exactly(every["exact_set"], 0.9998),
        figure("its 95 % lower bound", 0, "%", target=99.95) | _exactly(every["lower_95"], 0.9995),
        figure("value matched falsely", 0, "%", target=0.01, at_most=True)
        | _exactly(every["false_value"], 0.0001, at_most=True),
        figure("truth done or among three suggestions", _p(pooled["top_3"]), "%", target=97),
        figure("truth done or first suggestion", _p(pooled["top_1"]), "%"),
        figure("automatic on 10,000 receipts that pay no invoice", idle, "", target=1, at_most=True),
        figure("calibration error, worst world", _p(max(each["calibration_error"] for each in shifted)), "%"),
        figure("a payment takes, p50", max(each["p50"] for each in wait), "ms"),
        figure("a payment takes, p99", max(each["p99"] for each in wait), "ms", target=25, at_most=True),
        figure("a payment takes at most", max(each["max"] for each in wait), "ms", target=250, at_most=True),
        figure(f"payments matched a second, matchers: {shifted[0]['processes']}", rate, "payments/s", target=1_000),
        figure("memory of a matcher", max(e["matcher_memory_mb"] for e in shifted), "MB", target=500, at_most=True),
    ]
    if CLEAN.name in worlds:
        clean = worlds[CLEAN.name]["auto"]["of_payable"]
        found.append(figure("matched alone where payers name what they pay", _p(clean), "%", target=97))
        found.append(figure("of those that name no wrong invoice", _p(rightly(worlds[CLEAN.name])), "%", target=97))
    return found


def rightly(world: dict[str, Any]) -> float:
    """The share matched alone of what pays an invoice and names no other one: that is a person's at any rate."""
    wrong = next(row for row in world["classes"] if row["kind"] == "wrong_reference")
    told = world["counted"]
    share: float = (told["payable_auto"] - wrong["auto"]) / (told["payable"] - wrong["payments"])
    return share


def _p(share: float) -> float:
    return 100 * share


def _exactly(share: float, target: float, *, at_most: bool = False) -> dict[str, Any]:
    """Shares near 1 need more than three digits."""
    return {"value": round(100 * share, 4), "met": share <= target if at_most else share >= target}


def keep(size: str, document: dict[str, Any]) -> None:
    """Write the results of one size beside those of the other."""
    old = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(old | {size: document}, indent=1, ensure_ascii=False) + "\n")


def show(document: dict[str, Any]) -> None:
    """Both tables, for a person."""
    console = Console()
    targets = Table("figure", "value", "unit", "target", "met")
    for row in document["rows"]:
        met = {True: "yes", False: "no", None: ""}[row["met"]]
        targets.add_row(row["name"], f"{row['value']:,}", row["unit"], row["target"] or "", met)
    classes = Table("class", "payments", "alone", "wrong", "first", "among three")
    for row in document["together"]["classes"]:
        shares = [f"{100 * row[f'{name}_share']:.1f} %" for name in ("auto", "top_1", "top_3")]
        classes.add_row(row["kind"], f"{row['payments']:,}", shares[0], str(row["wrong"]), *shares[1:])
    console.print(targets)
    console.print(classes)


def main(arguments: Sequence[str]) -> None:
    """Measure one size: `100k`, or `1m`, which takes about half an hour."""
    size = arguments[0] if arguments else "100k"
    open_items, payments, processes, chosen = SIZES[size]
    worlds: dict[str, dict[str, Any]] = {}
    for world in chosen:
        print(f"measuring {world.name} …", file=sys.stderr)
        worlds[world.name] = measured(world, open_items, payments, processes)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 1)}
    document = {
        "machine": machine,
        "rows": rows(size, worlds),
        "together": together(list(worlds.values())),
        "worlds": worlds,
    }
    keep(size, document)
    show(document)


if __name__ == "__main__":
    main(sys.argv[1:])
