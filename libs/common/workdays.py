"""Which countries have a calendar of public holidays: the `holidays` library knows them, nobody guesses another.

The rule it protects: a country without a calendar is refused where it is told and keeps silent where it is not known,
never taken for one that works on every day of the week.
"""

from functools import cache

import holidays


@cache
def has_calendar(country: str) -> bool:
    """Whether the public holidays of this country (ISO 3166-1 alpha-2) are known."""
    try:
        holidays.country_holidays(country)
    except NotImplementedError:
        return False
    return len(country) == 2 and country.isupper()
