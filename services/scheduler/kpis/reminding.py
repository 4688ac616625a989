"""What reminders and promises do: words kept, reminders that should not have been, and what follows a step."""

from dataclasses import dataclass
from fractions import Fraction

from services.scheduler.kpis.collecting import share


@dataclass(frozen=True, slots=True)
class Words:
    """Promises that ended in a period; cancelled ones are not counted."""

    kept: int
    partly: int
    broken: int
    promised: int
    """Minor units of one currency."""
    paid: int

    @property
    def kept_rate(self) -> Fraction | None:
        """The share of promises that were kept in full."""
        return share(self.kept, self.kept + self.partly + self.broken)

    @property
    def paid_rate(self) -> Fraction | None:
        """The share of the money promised that came in time."""
        return share(self.paid, self.promised)


@dataclass(frozen=True, slots=True)
class Sent:
    """Reminders that reached payers in a period, and those that asked for what had been paid before."""

    reminders: int
    wrong: int

    @property
    def wrong_rate(self) -> Fraction | None:
        return share(self.wrong, self.reminders)


@dataclass(frozen=True, slots=True)
class Effect:
    """What followed a step: of the items it was about, those settled within so many days, and their money.

    Without a control group this is what followed, not what the step caused; with one the difference is its effect.
    """

    items: int
    settled: int
    minor: int
    settled_minor: int
    control_items: int = 0
    control_settled: int = 0

    @property
    def settled_rate(self) -> Fraction | None:
        return share(self.settled, self.items)

    @property
    def lift(self) -> Fraction | None:
        """The settled rate above that of the items that were held out; None without any."""
        mine, theirs = self.settled_rate, share(self.control_settled, self.control_items)
        return None if mine is None or theirs is None else mine - theirs
