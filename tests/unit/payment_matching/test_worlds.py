"""Made-up worlds: the same seed makes the same, the books add up, and the matcher knows nothing of them."""

import ast
from collections import Counter
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from services.payment_matching import references, worlds
from services.payment_matching.worlds.knobs import SETS, chosen
from services.payment_matching.worlds.ledger import reference
from services.payment_matching.worlds.writing import write

ENGINE = Path(worlds.__file__).parents[1]
NAMES = ("items", "payments", "truth", "identities")


def read(folder: Path, name: str) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]


def test_the_same_seed_makes_the_same_world(tmp_path: Path) -> None:
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        write(tmp_path / folder, SETS["south"], seed, 600, 200)
    one, same, other = (b"".join((tmp_path / f / f"{n}.jsonl").read_bytes() for n in NAMES) for f in "abc")
    assert one == same
    assert one != other


@pytest.mark.parametrize("name", SETS)
def test_no_item_is_paid_in_full_twice_and_every_class_comes(tmp_path: Path, name: str) -> None:
    write(tmp_path, replace(SETS[name], classes={"skipping": 6}), 5, 2_000, 900)
    known = {item["id"] for item in read(tmp_path, "items")}
    truth = read(tmp_path, "truth")
    paid = Counter(item for line in truth if line["kind"] != "partial" for item in line["items"])  # type: ignore[attr-defined]
    assert set(paid) <= known
    assert set(paid.values()) == {1}
    assert {line["kind"] for line in truth} == set(SETS[name].classes)


def test_a_knob_is_turned_by_its_name() -> None:
    knobs = chosen("home", ["typos=0.5", "schemes=A{serial}|B{serial}", "classes=single:1|fee:9"])
    assert (knobs.typos, knobs.schemes, knobs.classes["fee"]) == (0.5, ("A{serial}", "B{serial}"), 9)


def test_customers_abroad_owe_and_order_in_another_currency_and_are_booked_in_euros(tmp_path: Path) -> None:
    write(tmp_path / "home", SETS["home"], 5, 600, 300)
    write(tmp_path / "abroad", replace(SETS["home"], foreign=0.5, converted=0.5), 5, 600, 300)
    owed, paid, truth = (read(tmp_path / "abroad", name) for name in ("items", "payments", "truth"))
    currency = {one["id"]: one["currency"] for one in owed}
    assert {*currency.values()} == {"EUR", "USD", "GBP", "CHF"}
    assert {one["currency"] for one in paid} == {"EUR"}
    told = 0
    for payment, line in zip(paid, truth, strict=True):
        ordered: dict[str, str] | None = payment.get("instructed")  # type: ignore[assignment]
        told += ordered is not None
        if ordered and line["items"]:
            assert {currency[item] for item in line["items"]} == {ordered["currency"]}  # type: ignore[attr-defined]
    assert 0 < told < 150
    assert truth == read(tmp_path / "home", "truth"), "the other dice fall as they did"


def test_its_structured_references_hold() -> None:
    assert {kind: references.scheme(reference(kind, 4711)) for kind in ("rf", "ogm")} == {"rf": "rf", "ogm": "ogm"}
    assert references.scheme(reference("731", 4711)) is not None


def _imports(path: Path) -> set[str]:
    found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {getattr(node, "module", None) or node.names[0].name for node in found}


def test_worlds_and_matcher_do_not_import_one_another() -> None:
    inside = set().union(*(_imports(path) for path in (ENGINE / "worlds").glob("*.py")))
    assert all(name.startswith("services.payment_matching.worlds") for name in inside if name.startswith("services"))
    outside = [path for path in ENGINE.rglob("*.py") if "worlds" not in path.parts]
    assert [path for path in outside if any("worlds" in name for name in _imports(path))] == []
