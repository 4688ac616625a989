"""The supervisor restarts what dies, stops what it started and nothing else, and says in one line what is wrong."""

import socket
import subprocess
import sys
from pathlib import Path

import psutil

from libs.common.devstack.processes import listens
from tests.integration.devstack.commands import stack
from tests.support import eventually

ALL = {"postgres", "kafka", "mail"}


async def test_a_part_that_is_killed_is_started_again(tmp_path: Path) -> None:
    with stack(tmp_path) as ours:
        ours.up()
        for part in ALL:
            ours.process(part).kill()
        await eventually(lambda: all(ours.report()["restarts"][part] == 1 for part in ALL), 60)
        await eventually(lambda: listens(ours.base + 92), 60)
        assert set(ours.report()["parts"]) == ALL


def test_down_stops_every_part_and_nothing_else(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    try:
        with stack(tmp_path) as ours:
            ours.up()
            supervisor = psutil.Process(ours.report()["supervisor"]["pid"])
            family = [supervisor, *supervisor.children(recursive=True)]
            done = ours.run("down")
            assert done.returncode == 0
            assert [process for process in family if process.is_running()] == []
            assert not any(listens(ours.base + offset) for offset in (25, 32, 92, 93))
            assert bystander.poll() is None
            assert "Nothing was running" in ours.run("down").stderr
    finally:
        bystander.kill()
        bystander.wait()


async def test_the_parts_of_a_killed_supervisor_end_and_the_data_is_there_again(tmp_path: Path) -> None:
    with stack(tmp_path) as ours:
        ours.up()
        parts = [ours.process(part) for part in ALL]
        psutil.Process(ours.report()["supervisor"]["pid"]).kill()
        await eventually(lambda: not any(part.is_running() for part in parts), 60)
        ours.up()
        assert ours.run("up", "--infrastructure").returncode == 0
        assert set(ours.report()["parts"]) == ALL


def test_a_port_in_use_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    with stack(tmp_path) as ours, socket.socket() as other:
        other.bind(("127.0.0.1", ours.base + 32))
        other.listen()
        done = ours.run("up", "--infrastructure")
        assert done.returncode == 5
        assert f"port {ours.base + 32} (PostgreSQL)" in done.stderr
        assert "RELANCE_BASE_PORT" in done.stderr
        assert "Traceback" not in done.stderr


def test_no_network_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    with stack(tmp_path) as ours:
        done = ours.run(
            "up", "--infrastructure", XDG_CACHE_HOME=str(tmp_path), HTTPS_PROXY=nowhere, HTTP_PROXY=nowhere, NO_PROXY=""
        )
        assert done.returncode == 5
        assert "could not be fetched" in done.stderr
        assert "Connect to the network once" in done.stderr
        assert "Traceback" not in done.stderr
