"""Who a notice goes to."""

from uuid import UUID

import pytest

from services.notifier.errors import RecipientRefused
from services.notifier.recipients import MOST, Person, allowed, chosen


def person(n, email, *roles):
    return Person(UUID(int=n), f"Contact {n}", email, roles or ("accounts_payable",))


def addresses(people):
    return [each.email for each in people]


def test_the_contacts_of_the_audience_get_it_each_address_once():
    contacts = [person(1, "a@x.fr"), person(2, "A@X.fr".lower()), person(3, "b@x.fr", "manager"), person(4, None)]
    assert addresses(chosen(contacts, ["accounts_payable"], ())) == ["a@x.fr"]
    assert addresses(chosen(contacts, ["accounts_payable", "manager"], ())) == ["a@x.fr", "b@x.fr"]


def test_accounts_payable_stands_in_for_a_role_that_nobody_has():
    assert addresses(chosen([person(1, "a@x.fr")], ["manager"], ())) == ["a@x.fr"]
    assert chosen([person(1, "a@x.fr", "approver")], ["manager"], ()) == []


def test_suppressed_and_broken_addresses_get_nothing():
    contacts = [person(1, "a@x.fr"), person(2, "not an address"), person(3, "b@x.fr\r\nBcc: c@d.fr")]
    assert chosen(contacts, ["accounts_payable"], ["a@x.fr"]) == []


def test_a_notice_goes_to_five_people_at_most():
    assert len(chosen([person(n, f"a{n}@x.fr") for n in range(9)], ["accounts_payable"], ())) == MOST


def test_a_typed_address_is_a_contacts_own_or_in_one_of_their_domains():
    contacts = [person(1, "a@x.fr")]
    assert allowed(["chef@x.fr", "chef@X.fr"], contacts) == ["chef@x.fr"]
    for strange in ("chef@y.fr", "x.fr", "a@x.fr, b@y.fr"):
        with pytest.raises(RecipientRefused):
            allowed([strange], contacts)
