"""The matcher on a small made-up world: nothing wrong, most of it alone, and the same every time."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from libs.common.devstack.postgres import Postgres
from libs.common.settings import Settings
from services.payment_matching.evaluation import report
from services.payment_matching.evaluation.files import load
from services.payment_matching.worlds.knobs import SETS
from services.payment_matching.worlds.writing import write

SEED = 20_261_122
ALONE = 0.80


def silent(line: str) -> None:
    """Nobody follows."""


@pytest.mark.parametrize("learn", [False, True])
async def test_in_a_small_world_the_machine_is_never_wrong(
    postgres: Postgres, settings: Settings, tmp_path: Path, learn: bool
) -> None:
    write(tmp_path, SETS["home"], SEED, 2_000, 400)
    paths = [tmp_path / f"{name}.jsonl" for name in ("items", "payments", "truth", "identities")]
    files = load(*paths)
    found, kept = await report.evaluate(settings, files, silent, learn=learn)
    assert found["precision"]["wrong"] == 0
    assert found["null_safety"]["auto"] == 0
    assert found["auto"]["of_payable"] >= ALONE
    assert found["suggestions"]["top_3"] >= 0.95
    report.write_decisions(tmp_path / "one", files, kept)
    _, again = await report.evaluate(settings, files, silent, learn=learn)
    report.write_decisions(tmp_path / "two", files, again)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert "scratch" not in postgres.query("select string_agg(datname, ' ') from pg_database", database="postgres")


async def test_abroad_the_machine_acts_on_what_the_bank_told_and_on_nothing_else(
    settings: Settings, tmp_path: Path
) -> None:
    write(tmp_path, replace(SETS["home"], foreign=0.4), SEED, 1_500, 300)
    files = load(*(tmp_path / f"{name}.jsonl" for name in ("items", "payments", "truth", "identities")))
    found, kept = await report.evaluate(settings, files, silent, learn=True)
    assert (found["precision"]["wrong"], found["null_safety"]["auto"]) == (0, 0)
    report.write_decisions(tmp_path / "decided", files, kept)
    auto = {
        one["payment"]
        for line in (tmp_path / "decided").read_text().splitlines()
        if (one := orjson.loads(line))["auto"]
    }
    currency = {one.id: one.currency for one in files.items}
    foreign = [p for p in files.payments if {currency[item] for item in files.truth[p.id].items} - {"EUR"}]
    told = [payment.id in auto for payment in foreign if payment.instructed]
    assert len(told) > 20
    assert sum(told) >= ALONE * len(told) - 5
    assert not any(payment.id in auto for payment in foreign if not payment.instructed)
