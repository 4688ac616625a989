"""The matcher on a small made-up world: nothing wrong, most of it alone, and the same every time."""

from pathlib import Path

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
