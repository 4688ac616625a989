"""Which countries and regions have a calendar of public holidays: the `holidays` library knows them, nobody guesses.

The rule it protects: a country without a calendar is refused where it is told and keeps silent where it is not known,
never taken for one that works on every day of the week.
"""

from collections.abc import Mapping
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


@cache
def regions(country: str) -> Mapping[str, str]:
    """Parts of a country that may have holidays of their own, by code, with their names; zones of schools are none."""
    if not has_calendar(country):
        return {}
    known = holidays.country_holidays(country)
    names: dict[str, str] = {code: code for code in known.subdivisions if " " not in code}
    for name, code in known.subdivisions_aliases.items():
        if code in names and (names[code] == code or len(name) > len(names[code])):
            names[code] = name
    return names
