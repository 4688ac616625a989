"""The README is a promise too: every setting is in its table, every command and file that it names exists."""

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from libs.common.cli import NOUNS
from libs.common.settings import PORTS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
SETTING = re.compile(r"RELANCE_[A-Z][A-Z_]*[A-Z]")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)]+))?\)")


def settings_read() -> set[str]:
    """The variables that settings.py reads; the addresses of the services are read by a pattern."""
    source = (ROOT / "libs/common/settings.py").read_text("utf-8")
    named = set(re.findall(r"[\"'](RELANCE_[A-Z_]+[A-Z])[\"']", source))
    assert 'f"RELANCE_{name.upper()}_URL"' in source
    return named | {f"RELANCE_{service.upper()}_URL" for service in PORTS}


def code(text: str) -> Iterator[str]:
    """What the reader may paste: the lines of fenced blocks and what stands between backticks."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))


def commands(text: str, program: str) -> set[tuple[str, ...]]:
    """The words that follow a program's name, wherever a command may begin."""
    found = set()
    for line in code(text):
        for words in re.findall(rf"(?:^|[|(] ?|[A-Z]=\S+ |\) )(?:\.venv/bin/)?{program} ([^|#)`]+)", line):
            found.add(tuple(words.split()))
    return found


def tree() -> dict[str, Any]:
    """Every command of `relance` by its words."""
    known: dict[str, Any] = {}
    for noun in NOUNS:
        app = import_module(f"libs.common.cli.{noun}").app
        prefix = f"{app.info.name} " if isinstance(app.info.name, str) else ""
        group = typer.main.get_group(app)
        known |= {prefix + name: each for name, each in group.commands.items()}
        known |= {prefix.strip(): group} if group.invoke_without_command else {}
    return known


def documented(texts: Iterable[Path]) -> list[tuple[str, tuple[str, ...]]]:
    return [(page.name, words) for page in texts for words in sorted(commands(page.read_text("utf-8"), "relance"))]


def test_every_setting_is_in_the_table() -> None:
    rows = "\n".join(line for line in README.splitlines() if line.startswith("| `RELANCE_"))
    assert settings_read() - set(SETTING.findall(rows)) == set()


def test_the_table_names_no_setting_that_nothing_reads() -> None:
    rows = "\n".join(line for line in README.splitlines() if line.startswith("| `RELANCE_"))
    assert set(SETTING.findall(rows)) - settings_read() == set()


def test_every_setting_that_the_pages_name_is_read_somewhere() -> None:
    sources = "\n".join(path.read_text("utf-8") for room in ("libs", "bench") for path in (ROOT / room).rglob("*.py"))
    for page in PAGES:
        named = set(SETTING.findall(page.read_text("utf-8"))) - settings_read()
        assert {name for name in named if name not in sources} == set(), page.name


def test_every_relance_command_exists_with_its_options() -> None:
    known = tree()
    for page, words in documented(PAGES):
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        assert name in known, f"{page}: relance {' '.join(words)}"
        options = {flag for each in known[name].params for flag in each.opts if flag.startswith("--")}
        given = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"}
        assert given <= options, f"{page}: relance {' '.join(words)}"


def test_every_command_is_in_the_readme() -> None:
    said = {" ".join(words) for words in commands(README, "relance")}
    missing = {name for name in tree() if not any(f"{one} ".startswith(f"{name} ") for one in said)}
    assert missing - {"mail serve"} == set()


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for page in PAGES:
        for words in commands(page.read_text("utf-8"), "make"):
            assert words[0] in targets, f"{page.name}: make {words[0]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text("utf-8")):
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}, anchor


def test_the_readme_sends_a_file_that_is_there() -> None:
    for name in re.findall(r"--data-binary @(\S+)", README):
        assert name == "-" or (ROOT / name).is_file(), name
