"""Finding the tools and reading the manifests of deploy/."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
OBSERVABILITY = ROOT / "deploy" / "observability"


def beside_python(name: str) -> Path:
    """A tool that a locked package brought into the environment."""
    return Path(sys.executable).with_name(name)


def found(name: str, why: str) -> str:
    """A tool of the machine, or a skip that says what is left out."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on this machine: {why}")
    return path


def run(*argv: str | Path) -> str:
    """The output of a check that must pass."""
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read(file: Path) -> list[dict[str, Any]]:
    """The documents of one YAML file."""
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


@cache
def built(folder: str) -> tuple[dict[str, Any], ...]:
    """What `kubectl kustomize` makes of a folder of deploy/k8s; skips where there is no kubectl."""
    kubectl = found("kubectl", "overlays are not built; their parts are still checked one by one")
    return tuple(document for document in yaml.safe_load_all(run(kubectl, "kustomize", K8S / folder)) if document)
