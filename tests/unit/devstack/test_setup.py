"""Setting up on a machine that lacks something says so in one line with the remedy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOO_OLD = '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n'
WITHOUT_VENV = """#!/bin/sh
[ "$2" = venv ] && { echo "The virtual environment was not created because ensurepip is not available."; exit 1; }
exec %s "$@"
"""


def _setup(folder: Path, python: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up in an empty folder with this text as the Python to use, the only one on the path."""
    tools = folder / "bin"
    tools.mkdir()
    for name in ("sh", "cat", "rm", "basename", "printf"):
        (tools / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    (tools / "python3").write_text(python)
    (tools / "python3").chmod(0o755)
    (folder / "some.lock").write_text("# nothing\n")
    script = ROOT / "libs" / "common" / "devstack" / "setup.sh"
    env = {"PATH": str(tools), "HOME": str(folder), "PYTHON": "python3"} | more
    return subprocess.run(
        [tools / "sh", script, "some.lock"], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    done = _setup(tmp_path, TOO_OLD)
    assert done.returncode == 5
    assert done.stderr.splitlines()[0] == "relance: Python 3.11 or later was not found (python3 is Python 3.9.2)."


def test_a_python_without_venv_is_told_which_package_to_install(tmp_path: Path) -> None:
    done = _setup(tmp_path, WITHOUT_VENV % sys.executable)
    assert done.returncode == 5
    assert "apt install python3-venv" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert not os.path.lexists(tmp_path / ".venv")


def test_of_several_pythons_the_one_of_the_system_is_taken(tmp_path: Path) -> None:
    usable = "import sys, ensurepip, venv; assert sys.version_info >= (3, 11)"
    system = Path("/usr/bin/python3")
    if not system.exists() or subprocess.run([system, "-c", usable], check=False).returncode:
        pytest.skip("/usr/bin/python3 is not there, too old or without venv")
    done = _setup(tmp_path, "exit 1", PYTHON="")
    assert "home = /usr/bin" in (tmp_path / ".venv" / "pyvenv.cfg").read_text(), done.stderr


def test_packages_that_cannot_be_fetched_say_that_the_network_does_not_answer(tmp_path: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_CONFIG_FILE": os.devnull}
    lock = "orjson==3.11.4 --hash=sha256:" + "0" * 64 + "\n"
    done = _setup_with_lock(tmp_path, lock, nowhere)
    assert done.returncode == 5
    assert "the network does not answer" in done.stderr


def _setup_with_lock(folder: Path, lock: str, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
    (folder / "named.lock").write_text(lock)
    script = ROOT / "libs" / "common" / "devstack" / "setup.sh"
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHON": sys.executable} | more
    return subprocess.run(
        ["sh", script, "named.lock"], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
