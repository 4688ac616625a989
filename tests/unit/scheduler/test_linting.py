"""The linter: each rule is broken on purpose and found at its place; the product's own policies are clean."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.scheduler.errors import PolicyInvalid
from services.scheduler.findings import RULES, Finding
from services.scheduler.linting import LANGUAGES, TEXTS, lint, shape
from services.scheduler.playing import most_within
from services.scheduler.policy import check, parse
from services.scheduler.searching import crowds
from tests.unit.scheduler.test_policy import TEXT

FILES = Path("services/scheduler/policies")
NAMES = sorted(path.stem for path in FILES.glob("*.yaml"))
Change = Callable[[dict[str, Any]], Any]


def found(change: Change, own: dict[str, tuple[str, ...]] | None = None) -> set[tuple[str, str]]:
    told = yaml.safe_load(TEXT)
    change(told)
    try:
        return places(lint(check(told), own))
    except PolicyInvalid as invalid:
        return places(shape(invalid))


def places(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(each.rule, each.field) for each in findings}


def at(key: str, **facts: Any) -> Change:
    return lambda told: next(step for step in told["steps"] if step["key"] == key).update(facts)


def both(*changes: Change) -> Change:
    return lambda told: [change(told) for change in changes]


def test_there_is_a_policy_for_each_of_five_profiles() -> None:
    assert NAMES == ["good", "public_body", "slow", "standard", "strategic"]


@pytest.mark.parametrize("name", NAMES)
def test_the_products_own_policies_are_clean_and_never_above_four_in_thirty_days(name: str) -> None:
    policy = parse((FILES / f"{name}.yaml").read_text("utf-8"))
    assert policy.name == name
    assert lint(policy) == []


WEEKEND = {"days": ["sat", "sun"], "opens": "09:00", "closes": "18:00"}
MONDAY = {"days": ["mon"], "opens": "09:00", "closes": "18:00"}


@pytest.mark.parametrize(
    ("rule", "field", "change"),
    [
        ("too_many_contacts", "budget.notices", lambda told: told.update(budget={"notices": 8, "days": 30})),
        ("too_many_contacts", "budget.notices", lambda told: told.update(budget={"notices": 3, "days": 10})),
        ("gap_minimum", "gap_days", lambda told: told.update(gap_days=2)),
        ("gap_too_short", "steps[3].offset", at("firm", offset=6)),
        ("gap_too_short", "steps[6].offset", at("final", anchor="previous_completed", offset=3)),
        ("out_of_order", "steps[5].offset", at("sales_owner", offset=12)),
        ("never_true", "steps[3].when", at("firm", when="item.overdue < 10 days")),
        ("never_true", "steps[4].when", at("call", when="profile.name = 'slow' and profile.name = 'good'")),
        ("unreachable", "steps[4]", at("call", conditions={"unanswered_emails": 3})),
        ("unreachable", "steps[6]", at("firm", conditions={"unanswered_emails": 5})),
        (
            "amounts_crossed",
            "steps[3].min_amount",
            at("firm", max_amount={"EUR": "10.00"}, min_amount={"EUR": "20.00"}),
        ),
        ("window_never_opens", "steps[0].window", both(at("courtesy", window=WEEKEND, offset=-1))),
        ("window_often_closed", "steps[0].window", at("courtesy", window=MONDAY, offset=-2)),
        ("nobody_there", "steps[6].window", at("final", window=WEEKEND)),
        ("nobody_there", "steps[4].window", at("call", window=WEEKEND)),
        ("template_missing", "steps[3].template", at("firm", template="our_own")),
        ("currency_uncovered", "steps[3].min_amount", at("firm", min_amount={"EUR": "10.00"})),
        (
            "formal_unproven",
            "steps[8].conditions",
            both(*(at(key, channels=["call_task"]) for key in ("firm", "final"))),
        ),
        ("shape", "steps[8]", at("formal", conditions={"delivered_notices": 1})),
        ("shape", "steps[3].offset", at("firm", offset="soon")),
        ("amount_without_currency", "steps[3].min_amount", at("firm", min_amount="10.00")),
        ("amount_without_currency", "steps[3].when", at("firm", when="item.residual > 1000")),
        ("amount_without_currency", "cash.tolerance", lambda told: told["cash"].update(tolerance="5.00")),
    ],
)
def test_what_is_wrong_is_found_at_its_place(rule: str, field: str, change: Change) -> None:
    assert (rule, field) in found(change)


def test_a_text_of_ones_own_needs_both_languages() -> None:
    change = at("firm", template="our_own")
    assert found(change, {"our_own": ("fr",)}) == {("language_missing", "steps[3].template")}
    assert found(change, {"our_own": ("fr", "en")}) == set()


def test_the_texts_that_the_linter_knows_are_those_that_come_with_the_product() -> None:
    for language in LANGUAGES:
        files = Path(f"services/notifier/templates/{language}").glob("*.liquid")
        assert {path.stem for path in files} == TEXTS


def test_the_witness_of_a_crowd_names_the_steps_and_their_days() -> None:
    told = yaml.safe_load(TEXT) | {"budget": {"notices": 4, "days": 30}}
    policy = check(told)
    findings = lint(policy)
    assert [each.rule for each in findings] == ["too_many_contacts"]
    assert findings[0].facts["count"] == 5
    assert "formal D+" in findings[0].facts["witness"]
    assert crowds(policy, 10_000_00, "EUR").count == 5


def test_every_rule_is_said_in_both_languages_with_a_remedy() -> None:
    facts = {name: 1 for rule in RULES.values() for name in _named(rule.en + rule.remedy_en + rule.fr + rule.remedy_fr)}
    for rule in RULES:
        finding = Finding(rule, "firm", "steps[3]", facts)
        french, english = finding.said("fr"), finding.said("en")
        assert all((*french, *english))
        assert french[0] != english[0]
        assert french[1] != english[1]


def _named(text: str) -> set[str]:
    return {each.split("}")[0].split(":")[0] for each in text.replace("{{", "").split("{")[1:]}


def test_a_file_that_is_no_policy_has_its_mistakes_as_findings() -> None:
    findings = mistakes("name: x\nsteps: []")
    assert {each.field for each in findings} == {"window", "steps"}
    assert all(each.severity == "error" for each in findings)
    assert [each.rule for each in mistakes("steps: [")] == ["shape"]


def mistakes(text: str) -> list[Finding]:
    with pytest.raises(PolicyInvalid) as invalid:
        parse(text)
    return shape(invalid.value)


def test_the_worst_stretch_of_days_is_counted() -> None:
    days = [date(2026, 1, day) for day in (1, 5, 30, 31)]
    assert most_within(days, 30) == (3, date(2026, 1, 1))
    assert most_within([], 30) == (0, None)
