"""The image is one, runs as nobody in particular, and holds what the lock file names."""

from tests.deploy.files import ROOT, beside_python, run


def test_the_dockerfile_has_no_lint() -> None:
    run(beside_python("hadolint"), "Dockerfile")


def test_the_image_is_not_root_and_its_packages_are_checked_by_hash() -> None:
    lines = (ROOT / "Dockerfile").read_text()
    assert "\nUSER 10001\n" in lines
    assert "--require-hashes -r requirements.lock" in lines


def test_the_image_is_given_nothing_but_code_and_lock() -> None:
    allowed = (ROOT / ".dockerignore").read_text().split()
    assert allowed[0] == "*"
    assert set(allowed[1:]) == {"!requirements.lock", "!libs", "!services", "**/__pycache__"}
