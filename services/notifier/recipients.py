"""Who a notice goes to. Pure: from contacts and roles to typed addresses, each once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.notifier import guard
from services.notifier.errors import RecipientRefused

MOST = 5


@dataclass(frozen=True, slots=True)
class Person:
    """A contact of the debtor's file."""

    contact_id: UUID | None
    name: str
    email: str | None
    roles: Sequence[str]


def chosen(
    contacts: Sequence[Person], audience: Collection[str], suppressed: Collection[str], *, stand_in: bool = True
) -> list[Person]:
    """The contacts of these roles with a usable address that nobody suppressed, five at most.

    When none has one of the roles, the accounts-payable contacts stand in for them if they may.
    """
    usable = [person for person in (_typed(each) for each in contacts) if person and person.email not in suppressed]
    fitting = [person for person in usable if set(person.roles) & set(audience)]
    found = fitting or [person for person in usable if stand_in and "accounts_payable" in person.roles]
    return list({person.email: person for person in reversed(found)}.values())[::-1][:MOST]


def typed(text: str | None) -> str | None:
    """The address as it is used; None for what is none."""
    try:
        return guard.address(text) if text else None
    except RecipientRefused:
        return None


def _typed(person: Person) -> Person | None:
    address = typed(person.email)
    return None if address is None else Person(person.contact_id, person.name, address, person.roles)


def allowed(addresses: Sequence[str], contacts: Sequence[Person]) -> list[str]:
    """Addresses that a person typed, checked: a contact's own, or one in a domain of the contacts.

    Raises RecipientRefused for any other.
    """
    typed = [person.email for person in (_typed(each) for each in contacts) if person and person.email]
    domains = {guard.domain(each) for each in typed}
    found: list[str] = []
    for text in addresses:
        address = guard.address(text, field="recipients")
        if address not in typed and guard.domain(address) not in domains:
            raise RecipientRefused(
                f"{guard.domain(address)} is no domain of this debtor's contacts.", field="recipients"
            )
        found.append(address)
    return list(dict.fromkeys(found))
