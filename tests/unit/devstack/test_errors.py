"""What cannot work is said in one line with its remedy."""

import socket
from pathlib import Path

import pytest

from libs.common.cli.failures import STACK, told
from libs.common.devstack.errors import DiskFull, NoNetwork, PortTaken
from libs.common.devstack.processes import Known, check_free, check_room


def test_a_full_disk_names_the_folder_and_another_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DiskFull) as full:
        check_room(tmp_path / "not" / "yet", needed=10**18)
    assert told(full.value) == STACK
    said = capsys.readouterr().err.splitlines()
    assert str(tmp_path) in said[0]
    assert "RELANCE_STATE" in said[1]
    assert len(said) == 2


def test_a_disk_that_fills_while_writing_is_a_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(OSError(28, "No space left on device")) == STACK
    assert "disk has no room" in capsys.readouterr().err


def test_every_taken_port_is_named_with_what_wanted_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} \(Kafka\)"):
            check_free({"Kafka": port})


def test_an_error_without_a_remedy_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(NoNetwork("Nothing answers.", remedy=" ")) == STACK
    assert capsys.readouterr().err.startswith("relance: Nothing answers.\n")


def test_a_pid_that_another_process_got_is_not_ours() -> None:
    import os

    ours = Known.of(os.getpid())
    assert ours.process() is not None
    assert Known(ours.pid, ours.started - 60).process() is None
