"""The linter of policies: what would go wrong with one, found before it is used.

The rule it protects: no version becomes active whose steps nobody reaches or that stand in a wrong order, that comes
too often or too close, whose formal notice is not borne out, that never finds its window open, or lacks a text.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

from services.scheduler import searching
from services.scheduler.case import TO_PAYER
from services.scheduler.errors import PolicyInvalid
from services.scheduler.findings import Finding
from services.scheduler.policy import Policy, Step
from services.scheduler.policy_parts import Window

CONTACTS = 4
"""Reminders that a payer may get in 30 days: of the ladder, formal ones too, and statements."""
LEAST_GAP = 3
"""Working days between two notices, whatever a policy says."""
TEXTS = frozenset(
    {"courtesy", "statement", "friendly", "firm", "final", "formal", "thanks", "internal", "hand_over", "call", "visit"}
)
"""The texts that come with the product, each in every language."""
LANGUAGES = ("fr", "en")
OPEN = Window.model_validate({"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "09:00", "closes": "18:00"})
Texts = Mapping[str, Collection[str]]
"""Texts of a tenant's own: name → its languages."""


def lint(policy: Policy, own: Texts | None = None, *, most: int = CONTACTS) -> list[Finding]:
    """Everything that is wrong with a policy, errors first; `most` reminders to a payer in 30 days.

    How often a payer hears of us is searched once the ladder itself is sound.
    """
    found = [*_order(policy), *_gaps(policy), *_formal(policy), *_conditions(policy), *_texts(policy, own or {})]
    found += [*_amounts(policy), *_windows(policy)]
    if not any(finding.rule == "amounts_crossed" for finding in found):
        known = {finding.step for finding in found if finding.rule in ("never_true", "nobody_there")}
        found += _reach(policy, known)
    if all(finding.severity != "error" or finding.rule == "gap_minimum" for finding in found):
        found += _contacts(policy, most)
    return sorted(found, key=lambda finding: (finding.severity != "error", policy.order.get(finding.step, -1)))


def shape(invalid: PolicyInvalid) -> list[Finding]:
    """The mistakes of a file as findings."""
    errors: list[dict[str, Any]] = invalid.facts.get("errors") or [{"field": "", "detail": invalid.detail}]
    return [Finding(_rule_of(each), "", each["field"], {"detail": each["detail"]}) for each in errors]


def _rule_of(error: Mapping[str, str]) -> str:
    place, detail = error["field"], error["detail"]
    bare = any(name in place for name in ("min_amount", "max_amount", "approval_above", "tolerance"))
    written = "expected an amount, found a number" in detail
    return "amount_without_currency" if written or (bare and "dictionary" in detail) else "shape"


def _place(policy: Policy, step: Step, field: str = "") -> str:
    place = f"steps[{policy.order[step.key]}]"
    return f"{place}.{field}" if field else place


def _order(policy: Policy) -> Iterator[Finding]:
    """Steps that count from the due date stand in the order of their days."""
    dated = [step for step in policy.steps if step.anchor == "due_date" and step.kind != "acknowledge"]
    latest: Step | None = None
    for step in dated:
        if latest is not None and step.unit == latest.unit and step.offset < latest.offset:
            facts = {"before": latest.key, "offset": step.offset, "other": latest.offset}
            yield Finding("out_of_order", step.key, _place(policy, step, "offset"), facts)
        else:
            latest = step


def _gaps(policy: Policy) -> Iterator[Finding]:
    if policy.gap_days < LEAST_GAP:
        yield Finding("gap_minimum", "", "gap_days", {"gap": policy.gap_days, "least": LEAST_GAP})
    for lower, upper in pairwise(policy.rungs):
        days = _working_days_between(lower, upper)
        if days is not None and days < policy.gap_days:
            facts = {"before": lower.key, "days": days, "gap": policy.gap_days}
            yield Finding("gap_too_short", upper.key, _place(policy, upper, "offset"), facts)


def _working_days_between(lower: Step, upper: Step) -> int | None:
    """The fewest working days from one step to the next, over all weekdays of the date they count from."""
    calendar = searching.CALENDAR
    starts = [searching.START.replace(day=searching.START.day + n) for n in range(7)]
    if upper.anchor == "previous_completed":
        left = [day for day in starts if calendar.is_business_day(day)]
        return min(calendar.business_days_between(d, calendar.step_day(d, upper.offset, upper.unit)) for d in left)
    if upper.anchor != lower.anchor:
        return None
    pairs = [[calendar.step_day(day, step.offset, step.unit) for step in (lower, upper)] for day in starts]
    return min(calendar.business_days_between(first, second) for first, second in pairs)


def _formal(policy: Policy) -> Iterator[Finding]:
    """Two reminders that leave the house stand before a formal notice, and it asks for them."""
    for place, step in enumerate(policy.rungs):
        if step.kind == "formal_notice":
            before = sum("call_task" not in rung.channels[:1] for rung in policy.rungs[:place])
            count = min(before, step.conditions.delivered_notices)
            if count < 2:
                yield Finding("formal_unproven", step.key, _place(policy, step, "conditions"), {"count": count})


def _conditions(policy: Policy) -> Iterator[Finding]:
    for step in policy.steps:
        least = {"item.overdue": step.offset} if step.anchor == "due_date" and step.unit == "calendar" else {}
        if step.condition is not None and not step.condition.possible(least):
            place = _place(policy, step, "when")
            yield Finding("never_true", step.key, place, {"condition": step.condition.text})


def _texts(policy: Policy, own: Texts) -> Iterator[Finding]:
    for step in policy.steps:
        if step.kind not in TO_PAYER or step.template in TEXTS:
            continue
        place, facts = _place(policy, step, "template"), {"template": step.template}
        if step.template not in own:
            yield Finding("template_missing", step.key, place, facts)
        else:
            missing = [each for each in LANGUAGES if each not in own[step.template]]
            for language in missing:
                yield Finding("language_missing", step.key, place, facts | {"language": language})


def _amounts(policy: Policy) -> Iterator[Finding]:
    named = sorted({currency for step in policy.steps for currency in (*step.min_amount, *step.max_amount)})
    for step in policy.steps:
        for field, amounts in (("min_amount", step.least), ("max_amount", step.most)):
            for currency in named if amounts else ():
                if currency not in amounts:
                    place = _place(policy, step, field)
                    yield Finding("currency_uncovered", step.key, place, {"currency": currency})
        for currency in step.least:
            if step.least[currency] > step.most.get(currency, step.least[currency]):
                yield Finding("amounts_crossed", step.key, _place(policy, step, "min_amount"), {"currency": currency})


def _windows(policy: Policy) -> Iterator[Finding]:
    """Calls, letters and approvals need a day on which somebody works."""
    for step in policy.steps:
        window = policy.window_of(step)
        person = step.approval != "none" or step.channels[0] != "email"
        if person and not window.weekdays & frozenset(range(5)):
            yield Finding("nobody_there", step.key, _window_place(policy, step), {})


def _window_place(policy: Policy, step: Step) -> str:
    return _place(policy, step, "window") if step.window is not None else "window"


def _reach(policy: Policy, known: Collection[str]) -> Iterator[Finding]:
    """Every step leaves for some invoice, whatever weekday it falls due on."""
    amounts = _worth(policy)
    bare = searching.free(policy)
    left = searching.reached(bare, amounts)
    missing = [step for step in policy.steps if step.key not in left and step.key not in known]
    wide = _open(bare) if missing or any(len(days) < 7 for days in left.values()) else bare
    possible = searching.reached(wide, amounts) if wide is not bare else left
    for step in missing:
        rule, place = ("unreachable", _place(policy, step))
        if step.key in possible:
            rule, place = ("window_never_opens", _window_place(policy, step))
        yield Finding(rule, step.key, place, {})
    for step in policy.steps:
        days, all_days = left.get(step.key, set()), possible.get(step.key, set())
        if days and len(days) < len(all_days):
            yield Finding("window_often_closed", step.key, _window_place(policy, step), {"open": len(days)})


def _open(policy: Policy) -> Policy:
    """The same policy with windows of whole weeks."""
    return searching.like(policy, steps=[searching.like(step, window=None) for step in policy.steps], window=OPEN)


def _worth(policy: Policy) -> list[tuple[str, int]]:
    """Amounts with which every threshold of the policy is on its open side at least once."""
    found = {("EUR", 100_000_00)}
    for step in policy.steps:
        found |= {(currency, minor) for currency, minor in step.least.items()}
        found |= {(currency, max(1, minor)) for currency, minor in step.most.items()}
    lower = max((minor for step in policy.steps for minor in step.least.values()), default=0)
    found = {pair for pair in found if pair[1] >= 1}
    euros = sorted(pair for pair in found if pair[0] == "EUR")
    others = sorted(pair for pair in found if pair[0] != "EUR" and pair[1] >= lower)
    return [*euros, *others[:1]]


def _contacts(policy: Policy, most: int) -> Iterator[Finding]:
    """No order of events brings a payer more than so many reminders in 30 days."""
    currency, minor = max(_worth(policy), key=lambda pair: (pair[0] == "EUR", pair[1]))
    worst = searching.crowds(searching.free(policy), minor, currency)
    if worst.count > most:
        facts = {"count": worst.count, "days": worst.days, "most": most, "witness": worst.witness}
        yield Finding("too_many_contacts", "", "budget.notices", facts)
