"""The figures of an evaluation, and the files they come from."""

from dataclasses import replace
from pathlib import Path

import pytest

from libs.common.cli import NOUNS
from libs.common.cli.failures import REFUSED, USAGE, guarded
from services.payment_matching.evaluation.figures import Judged, calibration_error, figures, percentile, upper_error
from services.payment_matching.evaluation.files import BadLine, load
from services.payment_matching.evaluation.running import Decided

ITEM = (
    '{"id":"I1","debtor":"D1","debtor_name":"Dupont","number":"F1","kind":"invoice","amount":"10.00","currency":"EUR",'
    '"issue_date":"2026-01-01","due_date":"2026-02-01"}'
)
PAYMENT = '{"id":"P1","value_date":"2026-02-01","amount":"10.00","currency":"EUR","payer_name":"D","remittance":"F1"}'
ORDERED = ',"instructed":{"currency":"%s","amount":"%s"}}'
TRUTH = '{"payment":"P1","items":["I1"],"kind":"single"}'


@pytest.mark.parametrize(
    ("wrong", "tried", "upper"), [(0, 6_000, 0.000499), (0, 100, 0.02951), (1, 100, 0.04656), (25, 100_000, 0.000349)]
)
def test_the_bound_is_clopper_and_pearsons(wrong: int, tried: int, upper: float) -> None:
    assert upper_error(wrong, tried) == pytest.approx(upper, rel=0.01)


def judged(items: tuple[str, ...], truth: tuple[str, ...], *, auto: bool = True, share: float = 0.9) -> Judged:
    decided = Decided("P", auto, items if auto else (), (items,), 1.0, share, "quoted", ())
    return Judged(decided, frozenset(truth), "single" if truth else "not_receivable", 1_000)


def test_a_set_is_right_only_if_it_is_exactly_the_true_one() -> None:
    found = figures(
        [
            judged(("A",), ("A",)),
            judged(("B", "A"), ("A", "B")),
            judged(("A",), ("A", "B")),
            judged(("A",), ()),
            judged(("A",), ("A",), auto=False),
        ]
    )
    assert found["auto"]["of_payable"] == 3 / 4
    assert found["precision"]["wrong"] == 2
    assert found["precision"]["false_value"] == 2 / 4
    assert found["null_safety"] == {"receipts": 1, "auto": 1, "auto_share": 1.0}
    assert found["suggestions"]["top_1"] == 3 / 4
    assert {row["kind"]: row["wrong"] for row in found["classes"]} == {"single": 1, "not_receivable": 1}


def test_what_a_guard_costs_and_what_it_saves_is_said_of_those_that_it_alone_keeps() -> None:
    def left(truth: tuple[str, ...], *unsure: str) -> Judged:
        one = judged(("A",), truth, auto=False)
        return replace(one, decided=replace(one.decided, unsure=unsure))

    nothing = judged(("A",), ("A",), auto=False)
    nothing = replace(nothing, decided=replace(nothing.decided, suggestions=()))
    told = [left(("A",), "rival"), left(("B",), "rival"), left((), "rival"), left(("A",), "rival", "weak"), nothing]
    assert figures([*told, judged(("A",), ("A",))])["held"] == [
        {"reason": "rival", "payments": 3, "alone": 3, "alone_wrong": 2},
        {"reason": "nothing_fits", "payments": 1, "alone": 0, "alone_wrong": 0},
        {"reason": "weak", "payments": 1, "alone": 0, "alone_wrong": 0},
    ]


def test_a_probability_that_keeps_its_word_has_no_calibration_error() -> None:
    told = [judged(("A",), ("A",), share=0.75)] * 3 + [judged(("A",), ("B",), share=0.75)]
    assert calibration_error(told) == 0
    assert calibration_error([judged(("A",), ("B",), share=0.9)]) == pytest.approx(0.9)
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0


def files(folder: Path, item: str = ITEM, payment: str = PAYMENT, truth: str = TRUTH) -> tuple[Path, Path, Path]:
    paths = folder / "items.jsonl", folder / "payments.jsonl", folder / "truth.jsonl"
    for path, text in zip(paths, (item, payment, truth), strict=True):
        path.write_text(text + "\n")
    return paths


def test_files_are_read_and_a_payment_without_truth_pays_nothing(tmp_path: Path) -> None:
    found = load(*files(tmp_path, payment=f"{PAYMENT}\n\n{PAYMENT.replace('P1', 'P2')}"), None)
    assert [line.minor for line in found.payments] == [1000, 1000]
    assert (found.untold, found.truth["P2"].items) == (1, ())


@pytest.mark.parametrize(
    ("which", "line", "place"),
    [
        ("item", ITEM[:-1], "items.jsonl, line 1: This is no JSON"),
        ("item", ITEM.replace('"10.00"', '"10,00"'), "items.jsonl, line 1, amount"),
        ("item", ITEM.replace('"10.00"', '"-3.00"'), "items.jsonl, line 1, amount"),
        ("item", ITEM.replace("EUR", "EURO"), "items.jsonl, line 1, currency"),
        ("item", ITEM.replace("2026-02-01", "2026-02-31"), "items.jsonl, line 1, due_date"),
        ("item", f"{ITEM}\n{ITEM}", "items.jsonl, line 2, id"),
        ("payment", PAYMENT.replace('"amount":"10.00",', ""), "payments.jsonl, line 1, amount"),
        ("payment", PAYMENT[:-1] + ORDERED % ("USD", "0.00"), "payments.jsonl, line 1, instructed.amount"),
        ("payment", PAYMENT[:-1] + ORDERED % ("US", "1.00"), "payments.jsonl, line 1, instructed.currency"),
        ("payment", PAYMENT[:-1] + ORDERED % ("EUR", "1.00"), "payments.jsonl, line 1, instructed"),
        ("truth", TRUTH.replace("P1", "P9"), "truth.jsonl, line 1, payment"),
        ("truth", TRUTH.replace("I1", "I9"), "truth.jsonl, line 1, items"),
    ],
)
def test_a_bad_line_is_named_by_file_line_and_field(tmp_path: Path, which: str, line: str, place: str) -> None:
    with pytest.raises(BadLine, match=place) as refused:
        load(*files(tmp_path, **{which: line}), None)
    assert refused.value.remedy_text


def test_the_exit_codes_are_the_documented_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger, payments, truth = files(tmp_path, item=ITEM.replace("EUR", "euro"))
    told = ["match", "evaluate", "--ledger", str(ledger), "--payments", str(payments), "--truth", str(truth)]
    assert guarded(NOUNS, told) == REFUSED
    assert "line 1, currency" in capsys.readouterr().err
    assert guarded(NOUNS, ["match", "evaluate", "--ledger", str(tmp_path / "none")]) == USAGE
    assert guarded(NOUNS, ["match", "generate", str(tmp_path / "w"), "--world", "moon"]) == REFUSED
    assert guarded(NOUNS, ["match", "generate", str(tmp_path / "w"), "--knob", "typos=many"]) == REFUSED
