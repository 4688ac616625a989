"""The rules of the house that no other tool checks: sizes, docstrings, tenants, money, what never enters the tree."""

import ast
import importlib
import re
import statistics
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Float, MetaData, Numeric, Table

ROOT = Path(__file__).parents[1]
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
CODE = (".py", ".js", ".css", ".html", ".sql", ".sh", ".mako", ".liquid")
MONEY = re.compile(r"amount|residual|price|balance|money|minor|allocated|unapplied")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked() -> tuple[Path, ...]:
    """Every file under version control that is there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def python(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """The parsed modules below these folders, by their path."""
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py" and name.startswith(folders):
            yield name, ast.parse(path.read_text())


def functions(*folders: str) -> Iterator[tuple[str, Function]]:
    for name, module in python(*folders):
        for node in ast.walk(module):
            if isinstance(node, Function):
                yield f"{name}:{node.lineno} {node.name}", node


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def texts() -> Iterator[tuple[str, int, str]]:
    """Every line of every tracked text file but this one and the generated ones."""
    for path in tracked():
        if path == Path(__file__) or path.suffix in (".lock", ".pdf", ".png", ".xlsx", ".ico", ".woff2", ".webp"):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            yield path.relative_to(ROOT).as_posix(), number, line


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in tracked() if path.suffix in CODE}
    assert [f"{path.relative_to(ROOT)}: {lines}" for path, lines in lengths.items() if lines > LONGEST_FILE] == []


def test_no_function_is_longer_than_60_lines() -> None:
    long = [f"{where}: {length(node)}" for where, node in functions("") if length(node) > LONGEST_FUNCTION]
    assert long == []


def test_functions_are_a_paragraph() -> None:
    lengths = sorted(length(node) for _, node in functions("libs/", "services/"))
    assert statistics.median(lengths) <= 10
    assert lengths[int(len(lengths) * 0.9)] <= 30


def test_no_statement_takes_its_rows_one_parameter_a_value() -> None:
    """Such a statement is refused from 32,767 values on, which a large customer reaches."""
    found = [
        f"{name}:{call.lineno}"
        for name, module in python("services", "libs")
        for call in ast.walk(module)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "values"
        if any(isinstance(each, ast.ListComp | ast.List) or ast.unparse(each) == "rows" for each in call.args)
    ]
    assert found == []


def test_every_module_says_what_it_owns() -> None:
    silent = [name for name, module in python("") if module.body and ast.get_docstring(module) is None]
    assert silent == []


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in tracked() if path.suffix == ".py" and "tests" in path.relative_to(ROOT).parts}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@cache
def tables() -> tuple[Table, ...]:
    """Every table of every service and of the library."""
    names = [name for name, _ in python("libs/", "services/") if "/tables" in name or name.endswith("permits.py")]
    modules = [
        importlib.import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")) for name in names
    ]
    owners = [value for module in modules for value in vars(module).values() if isinstance(value, MetaData)]
    found = {(id(metadata), table.name): table for metadata in owners for table in metadata.sorted_tables}
    return tuple(found.values())


def test_every_table_has_a_tenant() -> None:
    assert tables()
    assert [table.name for table in tables() if "tenant_id" not in table.c] == []


def test_no_column_holds_money_as_a_float() -> None:
    loose = [
        f"{table.name}.{column.name}" for table in tables() for column in table.c if _loose(column.name, column.type)
    ]
    assert loose == []


def _loose(name: str, kind: object) -> bool:
    return isinstance(kind, Float | Numeric) and MONEY.search(name) is not None


def test_no_name_of_money_is_a_float() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, module in python("libs/", "services/")
        for node in ast.walk(module)
        if isinstance(node, ast.AnnAssign | ast.arg) and _is_float(node.annotation) and MONEY.search(_named(node))
    ]
    assert found == []


def _is_float(annotation: ast.expr | None) -> bool:
    return annotation is not None and "float" in re.findall(r"\w+", ast.unparse(annotation))


def _named(node: ast.AnnAssign | ast.arg) -> str:
    return node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("unfinished work", r"\b(TODO|FIXME)\b"),
        ("the address of a package registry", r"pypi\.org|pythonhosted|registry\.npmjs|repo1?\.maven|index-url\s*="),
        ("a path of one machine", r"(^|[\s\"'=(:])/(root|home/\w+|Users/\w+|work)/"),
    ],
)
def test_the_tree_holds_no(what: str, pattern: str) -> None:
    refused = re.compile(pattern)
    assert [f"{name}:{number}: {what}" for name, number, line in texts() if refused.search(line)] == []
