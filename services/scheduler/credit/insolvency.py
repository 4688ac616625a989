"""An insolvency's clocks: by when the claim is filed, and which invoices are of before the judgment.

The rule it protects (Code de commerce L. 622-24, R. 622-24; L. 622-28): a claim from before the judgment is filed two
months after its publication, four by a creditor abroad or overseas; its interest stops on the eve of the judgment.
"""

from datetime import date, timedelta
from typing import Literal

from services.scheduler.calendar import months_after

Place = Literal["mainland", "overseas", "abroad"]
ALARMS = (30, 15, 5)
"""Days before the last day to file on which it is told of."""


def file_by(published_on: date | None, place: Place) -> date | None:
    """The last day to file the claim; None while the judgment is not published."""
    return None if published_on is None else months_after(published_on, 2 if place == "mainland" else 4)


def earlier(issue_date: date, judgment_on: date) -> bool:
    """Whether an invoice's claim arose before the judgment, by its issue date."""
    return issue_date < judgment_on


def interest_to(judgment_on: date) -> date:
    """The last day that bears interest of earlier claims."""
    return judgment_on - timedelta(days=1)
