"""A policy version and its steps: the ladder that a company chose, checked when it is written, immutable afterwards.

The rule it protects: a ladder never falls in tone, never sends a final or formal notice without a person, and every
amount in it has a currency. Files are YAML (`policies/standard.yaml` is the shape); an error names its place.
"""

from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal
from uuid import UUID

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from libs.common.errors import RelanceError
from libs.common.events.debtors import ContactRole
from libs.common.events.reminders import Approval, Channel, CompletesOn, CopyRole, StepKind
from libs.common.ids import named
from libs.common.money import Money
from services.scheduler.condition import Condition
from services.scheduler.errors import ConditionInvalid, PolicyInvalid
from services.scheduler.expression import LONGEST
from services.scheduler.policy_parts import Amounts, Budget, Cash, Conditions, Repeat, Sender, Spread, Strict, Window
from services.scheduler.vocabulary import FIELDS

LADDER: frozenset[str] = frozenset({"reminder", "letter", "final_notice", "formal_notice"})
"""Kinds that raise an item's level: each needs the one before it, and the gap."""
CAME_BACK: dict[str, frozenset[str]] = {
    "payment_returned": frozenset({"returned", "refused_by_debtor"}),
    "dispute_closed": frozenset({"released"}),
    "reopened": frozenset({"returned", "refused_by_debtor", "released", "unallocated", "amended"}),
}
"""Anchor → why an item came back that hears this step first; `released` is a part that was paused and is owed."""
PROMISED: frozenset[str] = frozenset({"promise_due", "promise_broken"})
"""Anchors of steps about a payer's word: tasks around its day, and the reminder that follows when it is broken."""
BESIDE = CAME_BACK.keys() | {"promise_broken"}
CALLS: frozenset[str] = frozenset({"task_call", "task_visit"})
"""What a person says to the payer itself; open or made, it starts the gap."""
TASKS: frozenset[str] = CALLS | {"internal_notice", "hand_over"}
GAPPED: frozenset[str] = LADDER | {"statement"}
"""Kinds that need the gap and start it."""
HEARD: frozenset[str] = GAPPED | CALLS
"""Kinds after which the payer is left alone for the gap."""
ChargesSaid = Literal["none", "named", "stated"]
NAMES_THE_RIGHT, STATES_SUMS = 3, 4
"""The tones from which a reminder speaks of charges, and states them; a gentler one never does."""
STRICTNESS: dict[str, int] = {"none": 0, "confirm": 1, "four_eyes": 2}

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Step(Strict):
    """One rung. `offset` counts from its anchor; `tone` 0 is no tone at all (a task, a word to a colleague)."""

    key: Key
    kind: StepKind
    tone: Annotated[int, Field(ge=0, le=5)]
    anchor: Literal[
        "due_date", "issue_date", "previous_completed", "imported", "payment_returned", "reopened", "dispute_closed",
        "promise_due", "promise_broken",
    ] = "due_date"  # fmt: skip
    offset: Annotated[int, Field(ge=-60, le=720)]
    unit: Literal["calendar", "business"] = "calendar"
    template: Key
    channels: Annotated[list[Channel], Field(min_length=1)] = ["email"]
    audience: Annotated[list[ContactRole], Field(min_length=1)]
    cc: Annotated[list[CopyRole], Field(max_length=5)] = []
    """Who gets a copy: of the payer's contacts, or its sales owner and collector."""
    sender: Sender = Sender()
    window: Window | None = None
    conditions: Conditions = Conditions()
    when: Annotated[str, Field(min_length=1, max_length=LONGEST)] | None = None
    """A condition over fields of the item, its case, the debtor, its profile and the deliveries; else it waits."""
    min_amount: Amounts = {}
    max_amount: Amounts = {}
    charges: ChargesSaid | None = None
    """What a reminder says of late-payment charges; None: the right to them from tone 3 on, the sums from tone 4 on."""
    approval: Approval = "none"
    approval_above: Amounts = {}
    """Above this a person confirms the notice, although `approval` is none."""
    grouping: Literal["item", "level", "account", "payer"] = "payer"
    group_level: Literal["oldest", "highest"] = "highest"
    completes_on: CompletesOn = "accepted"
    on_failure: Literal["task", "fallback", "hold"] = "task"
    """When it did not arrive: another try and a task, the next channel, or nothing until the payer's file changes."""
    catch_up: Literal["single_then_gap", "skip", "spread"] = "single_then_gap"
    repeat: Repeat | None = None

    @field_validator("min_amount", "max_amount", "approval_above")
    @classmethod
    def _amounts(cls, amounts: dict[str, str]) -> dict[str, str]:
        return _read(amounts)

    @field_validator("when")
    @classmethod
    def _understood(cls, text: str | None) -> str | None:
        try:
            return None if text is None else Condition.of(text, FIELDS).text
        except ConditionInvalid as wrong:
            raise ValueError(f"{wrong.detail}. {wrong.remedy_text}") from None

    @model_validator(mode="after")
    def _kinds(self) -> "Step":
        free = self.conditions == Conditions() and self.when is None
        if self.kind == "acknowledge" and (self.tone > 1 or not free or self.offset > 5):
            raise ValueError("a thank-you has tone 0 or 1, no conditions, and is said within 5 days of the settlement")
        if self.kind in ("pre_due", "acknowledge") and self.anchor != "due_date":
            raise ValueError("the anchor of a notice before the due date, and of a thank-you, is due_date")
        if self.anchor in CAME_BACK and self.kind != "reminder":
            raise ValueError(f"a step for an item that came back ({self.anchor}) is a reminder")
        if self.kind in LADDER and self.tone == 0:
            raise ValueError("a reminder needs a tone from 1 to 5")
        if (self.kind == "pre_due") != (self.offset < 0) and self.anchor != "promise_due":
            raise ValueError("a notice before the due date, and only that, has a negative offset")
        if (self.kind == "statement") != (self.repeat is not None) or (self.kind == "statement" and self.tone > 2):
            raise ValueError("a statement, and only that, has a repeat; its tone is 0, 1 or 2")
        if self.catch_up == "skip" and self.kind in GAPPED:
            raise ValueError("a missed day burns no reminder: catch_up is single_then_gap or spread")
        if self.catch_up == "spread" and self.kind not in GAPPED:
            raise ValueError("only reminders are spread: catch_up is single_then_gap or skip")
        if self.kind == "final_notice" and self.approval == "none":
            raise ValueError("a final notice needs the approval confirm or four_eyes")
        if self.kind == "formal_notice" and (self.approval != "four_eyes" or self.conditions.delivered_notices < 2):
            raise ValueError("a formal notice needs the approval four_eyes and two delivered_notices")
        return self

    @model_validator(mode="after")
    def _words(self) -> "Step":
        if self.anchor == "promise_due" and (self.kind not in TASKS or self.offset < -10):
            raise ValueError("a step about the day of a promise is a task, ten days before it at the earliest")
        if self.anchor == "promise_broken" and self.kind != "reminder":
            raise ValueError("a step about a broken promise is a reminder")
        if self.charges in ("named", "stated") and (self.kind not in LADDER or self.tone < NAMES_THE_RIGHT):
            raise ValueError("only a reminder of tone 3 or more speaks of charges: leave charges out, or write none")
        if self.on_failure == "fallback" and len(self.channels) < 2:
            raise ValueError("a fallback needs a second channel")
        return self

    @model_validator(mode="after")
    def _ways(self) -> "Step":
        on_paper = set(self.channels) == {"letter"}
        if self.kind == "letter" and not on_paper:
            raise ValueError("a letter leaves on paper: write channels: [letter]")
        if self.kind == "letter" and (self.approval == "none" or self.tone > 4):
            raise ValueError("a letter needs the approval confirm or four_eyes and a tone up to 4")
        if self.kind in ("task_visit", "hand_over") and self.channels != ["call_task"]:
            raise ValueError(f"{self.kind} is a person's task: write channels: [call_task]")
        if self.completes_on == "presented" and not (on_paper and self.kind in LADDER):
            raise ValueError("only a reminder on paper is presented: write channels: [letter], or another completes_on")
        if self.completes_on == "delivered" and (self.kind not in LADDER or "email" not in self.channels):
            raise ValueError("only a reminder by e-mail is delivered: write another completes_on")
        if self.completes_on == "task_done" and self.kind not in CALLS | {"hand_over"}:
            raise ValueError("only a call, a visit or a hand-over is done by a person: write another completes_on")
        if (self.cc or self.sender != Sender()) and (self.kind in TASKS or "email" not in self.channels):
            raise ValueError("only an e-mail to the payer has copies and a sender: leave cc and sender out")
        return self

    @cached_property
    def says_of_charges(self) -> ChargesSaid:
        """Its own word, or that of its tone."""
        if self.charges is not None or self.kind not in LADDER or self.tone < NAMES_THE_RIGHT:
            return self.charges or "none"
        return "stated" if self.tone >= STATES_SUMS else "named"

    @cached_property
    def condition(self) -> Condition | None:
        """The condition, compiled once for all items."""
        return None if self.when is None else Condition.of(self.when, FIELDS)

    @cached_property
    def confirmed_above(self) -> dict[str, int]:
        """Currency → minor units above which a person confirms."""
        return {currency: Money.parse(amount, currency).minor for currency, amount in self.approval_above.items()}

    @cached_property
    def least(self) -> dict[str, int]:
        """Currency → minor units below which the step passes an item over."""
        return {currency: Money.parse(amount, currency).minor for currency, amount in self.min_amount.items()}

    @cached_property
    def most(self) -> dict[str, int]:
        """Currency → minor units above which the step passes an item over."""
        return {currency: Money.parse(amount, currency).minor for currency, amount in self.max_amount.items()}


class Policy(Strict):
    """A ladder with what holds for all of its steps, in the order in which they are climbed."""

    name: Key
    shadow: bool = False
    """It decides and records, and nothing leaves."""
    gap_days: Annotated[int, Field(ge=1, le=30)] = 5
    budget: Budget = Budget()
    cash: Cash = Cash()
    window: Window
    spread: Spread = Spread()
    steps: Annotated[list[Step], Field(min_length=1, max_length=40)]

    @field_validator("cash")
    @classmethod
    def _tolerances(cls, cash: Cash) -> Cash:
        _read(cash.tolerance)
        return cash

    @model_validator(mode="after")
    def _ladder(self) -> "Policy":
        keys = [step.key for step in self.steps]
        doubled = sorted({key for key in keys if keys.count(key) > 1})
        if doubled:
            raise ValueError(f"step {doubled[0]} is there twice")
        rungs = [step for step in self.steps if step.kind in LADDER and step.anchor not in BESIDE]
        for lower, upper in pairwise(rungs):
            if upper.tone < lower.tone:
                raise ValueError(f"step {upper.key} is softer than {lower.key} before it")
            if upper.anchor == lower.anchor and upper.offset < lower.offset:
                raise ValueError(f"step {upper.key} comes before {lower.key}, which it follows")
        _reachable(rungs)
        for kind in ("acknowledge", "statement"):
            if sum(step.kind == kind for step in self.steps) > 1:
                raise ValueError(f"a ladder has one step of kind {kind}")
        if sum(step.anchor == "promise_broken" for step in self.steps) > 1:
            raise ValueError("a ladder has one step about a broken promise")
        if self.statement is not None and self.before_statement is None:
            raise ValueError("a statement follows the steps of the ladder")
        return self

    @cached_property
    def rungs(self) -> tuple[Step, ...]:
        """The steps that raise a level, without the one for imported history."""
        return tuple(step for step in self.steps if step.kind in LADDER and step.anchor not in {*BESIDE, "imported"})

    @cached_property
    def comebacks(self) -> tuple[Step, ...]:
        """What an item hears first that came back, by why it did."""
        return tuple(step for step in self.steps if step.anchor in CAME_BACK)

    @cached_property
    def imported(self) -> tuple[Step, ...]:
        """What items from before our time hear first."""
        return tuple(step for step in self.steps if step.anchor == "imported")

    @cached_property
    def courtesies(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.kind == "pre_due")

    @cached_property
    def asides(self) -> tuple[Step, ...]:
        """Calls and words to colleagues: they raise no level and hold nobody up."""
        return tuple(step for step in self.steps if step.kind in TASKS and step.anchor != "promise_due")

    @cached_property
    def on_promise(self) -> tuple[Step, ...]:
        """Calls and words to colleagues around the day for which a payer gave its word."""
        return tuple(step for step in self.steps if step.anchor == "promise_due")

    @cached_property
    def broken_promise(self) -> Step | None:
        """What is said first when a payer broke its word, if the ladder has it; then it goes on with what is harder."""
        return next((step for step in self.steps if step.anchor == "promise_broken"), None)

    @cached_property
    def asks_for_profile(self) -> bool:
        """Whether any condition needs to know how the payer pays."""
        asked = [step.condition.fields for step in self.steps if step.condition is not None]
        return any(name.startswith("profile.") for fields in asked for name in fields)

    @cached_property
    def awaits(self) -> bool:
        """Whether a step is done only when nothing came back for a working day."""
        return any(step.completes_on == "delivered" for step in self.steps)

    @cached_property
    def spreads(self) -> bool:
        """Whether any step catches up over several days."""
        return any(step.catch_up == "spread" for step in self.steps)

    @cached_property
    def thanks(self) -> Step | None:
        """The word that follows a settlement, if the ladder has one; its days count from the settlement."""
        return next((step for step in self.steps if step.kind == "acknowledge"), None)

    @cached_property
    def statement(self) -> Step | None:
        """What is said every month once every step is done, if the ladder has it."""
        return next((step for step in self.steps if step.kind == "statement"), None)

    @cached_property
    def before_statement(self) -> Step | None:
        """The step that the statement follows: the last one of the ladder, its calls and its words to colleagues."""
        place = next((place for place, step in enumerate(self.steps) if step.kind == "statement"), 0)
        climbed = (*self.rungs, *self.asides)
        if any(step in climbed for step in self.steps[place + 1 :]):
            return None
        return next((step for step in reversed(self.steps[:place]) if step in climbed), None)

    def nth(self, step: Step, count: int) -> Step:
        """A repetition of a step as a step of its own: the second of `monthly` is `monthly-2`."""
        if count == 1:
            return step
        key = f"{step.key}-{count}"
        if key not in self._repeated:
            self._repeated[key] = step.model_copy(update={"key": key})
        return self._repeated[key]

    def step(self, key: str) -> Step | None:
        """The step of an occurrence, or the one that it repeats; None when this version has none."""
        return self.by_key.get(key.partition("-")[0])

    @cached_property
    def _repeated(self) -> dict[str, Step]:
        return {}

    @cached_property
    def order(self) -> dict[str, int]:
        """Step key → its place in the ladder."""
        return {step.key: place for place, step in enumerate(self.steps)}

    @cached_property
    def by_key(self) -> dict[str, Step]:
        return {step.key: step for step in self.steps}

    @cached_property
    def tolerances(self) -> dict[str, int]:
        """Currency → minor units by which money on account may fall short."""
        return {currency: Money.parse(amount, currency).minor for currency, amount in self.cash.tolerance.items()}

    @cached_property
    def first_offset(self) -> int:
        """Calendar days from the due date on which this ladder looks at an item for the first time, at the latest."""
        dated = [step for step in self.steps if step.kind != "acknowledge" and step.anchor not in PROMISED]
        return min((step.offset for step in dated), default=0)

    def window_of(self, step: Step) -> Window:
        return step.window or self.window


class PolicyVersion(BaseModel):
    """A policy as it was activated: what a case stays on until it is migrated."""

    model_config = ConfigDict(frozen=True)

    version_id: UUID
    number: int
    policy: Policy


def parse(text: str) -> Policy:
    """Read a policy file. Raises PolicyInvalid with the place and the reason of every error."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as broken:
        raise PolicyInvalid(f"The file is not YAML: {' '.join(str(broken).split())[:200]}") from broken
    return check(found)


def check(found: object) -> Policy:
    """A policy from parsed YAML or JSON. Raises PolicyInvalid."""
    try:
        return Policy.model_validate(found)
    except ValidationError as invalid:
        errors = [
            {"field": _place(error["loc"]), "detail": error["msg"].removeprefix("Value error, ")}
            for error in invalid.errors()
        ]
        told = f"{errors[0]['field'] or 'policy'}: {errors[0]['detail']}"
        raise PolicyInvalid(told, field=errors[0]["field"] or None, errors=errors) from None


def version_of(tenant: UUID, policy: Policy, number: int) -> PolicyVersion:
    """The version with this number."""
    return PolicyVersion(version_id=version_id_of(tenant, policy.name, number), number=number, policy=policy)


def version_id_of(tenant: UUID, name: str, number: int) -> UUID:
    """The id of a version: it says tenant, name and number."""
    return named("policy", tenant, name, number)


def _read(amounts: dict[str, str]) -> dict[str, str]:
    for currency, amount in amounts.items():
        try:
            Money.parse(amount, currency)
        except RelanceError as refused:
            raise ValueError(refused.detail) from refused
    return amounts


def _reachable(rungs: list[Step]) -> None:
    for place, step in enumerate(rungs):
        if step.conditions.delivered_notices > place:
            raise ValueError(f"step {step.key} waits for more delivered notices than the ladder has before it")


def _place(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
