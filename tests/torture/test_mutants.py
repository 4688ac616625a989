"""A test that cannot fail protects nothing: each planted fault is found by the test that guards against it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
WITHIN = 120
FAILED = 1
"""pytest's exit code when tests ran and some failed."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_fault_is_found(name: str) -> None:
    plain = ("-q", "-x", "-p", "no:cacheprovider", "-p", "tests.torture.mutants", "--plant", name)
    run = [sys.executable, "-m", "pytest", *plain, MUTANTS[name].found_by]
    found = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False)
    summary = found.stdout.strip().splitlines()[-1]
    assert found.returncode == FAILED and " failed" in summary and " error" not in summary, found.stdout[-3_000:]
