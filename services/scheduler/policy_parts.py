"""What a policy is made of beside its steps: windows, budgets, conditions on what was delivered, repetitions.

The rule it protects: a window opens when no clock changes, and every bound is a number that a person can defend.
"""

from datetime import time
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Amounts = dict[Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")], str]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(Strict):
    """Local hours in which something may leave, on these weekdays when they are business days."""

    days: Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)]
    opens: time
    closes: time

    @model_validator(mode="after")
    def _hours(self) -> "Window":
        if self.opens >= self.closes:
            raise ValueError("the window closes before it opens")
        if self.opens < time(4):
            raise ValueError("a window opens at 04:00 or later: clocks change before")
        return self

    @cached_property
    def weekdays(self) -> frozenset[int]:
        """0 is Monday."""
        return frozenset(DAYS.index(day) for day in self.days)


class Budget(Strict):
    """At most so many notices to one party, over all entities, in so many calendar days."""

    notices: Annotated[int, Field(ge=1, le=100)] = 8
    days: Annotated[int, Field(ge=1, le=366)] = 30


class Cash(Strict):
    """How long money on account keeps an item silent that it may pay: working days, and a tolerance a currency."""

    days: Annotated[int, Field(ge=0, le=3)] = 3
    tolerance: Amounts = {}


class Conditions(Strict):
    """What must have happened to the item before the step: delivered notices, or e-mails that nobody answered."""

    delivered_notices: Annotated[int, Field(ge=0, le=9)] = 0
    unanswered_emails: Annotated[int, Field(ge=0, le=9)] = 0


class Sender(Strict):
    """Whose address a mail comes from and who gets the answer. A collector outside of the company's domain, or none,
    leaves both to the mailbox."""

    by: Literal["mailbox", "collector"] = "mailbox"
    reply_to: Literal["mailbox", "collector"] = "mailbox"


class Repeat(Strict):
    """A statement comes again: every so many months, so many times at most."""

    months: Annotated[int, Field(ge=1, le=12)] = 1
    most: Annotated[int, Field(ge=1, le=60)] = 24


class Spread(Strict):
    """How many notices an entity catches up with on a day, of the steps that say `catch_up: spread`."""

    per_day: Annotated[int, Field(ge=1, le=100_000)] = 100
