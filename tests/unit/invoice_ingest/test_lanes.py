"""Lanes: parts of a list that never touch the same debtor, in their order."""

from datetime import date
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.invoice_ingest.accounts import Offer
from services.invoice_ingest.lanes import LEAST, lane_of, lanes
from services.invoice_ingest.sources.canonical import CanonicalInvoice


def offer(number: str, account: str, **more: Any) -> Offer:
    told = {
        "number": number,
        "issue_date": "2026-01-31",
        "due_date": "2026-03-02",
        "totals": {"gross": {"amount": "1.00", "currency": "EUR"}},
        "debtor": {"external_id": account},
    }
    return Offer(UUID(int=1), UUID(int=2), "api", CanonicalInvoice.model_validate(told | more), date(2026, 2, 1))


@given(st.lists(st.integers(0, 9), min_size=LEAST, max_size=120))
def test_every_line_is_in_one_lane_in_order_with_all_of_its_debtor(debtors: list[int]) -> None:
    offers = [offer(f"F-{n}", f"C{debtor}") for n, debtor in enumerate(debtors)]
    parted = lanes(offers)
    assert sorted(place for lane in parted for place in lane) == list(range(len(offers)))
    assert all(lane == sorted(lane) for lane in parted)
    homes = [{debtors[place] for place in lane} for lane in parted]
    assert len(homes) < 2 or not homes[0] & homes[1]


def _many() -> list[Offer]:
    return [offer(f"F-{n}", f"C{n}") for n in range(LEAST)]


def test_a_long_list_of_many_debtors_is_parted() -> None:
    assert len(lanes(_many())) == 2


def test_a_short_list_is_not() -> None:
    assert len(lanes(_many()[:-1])) == 1


def test_an_invoice_that_changes_its_debtor_within_a_list_keeps_the_order() -> None:
    here = offer("F-0", "C0")
    other = next(name for name in (f"D{n}" for n in range(99)) if lane_of(offer("x", name)) != lane_of(here))
    assert len(lanes([*_many(), offer("F-0", other)])) == 1
    assert len(lanes([*_many(), offer("F-X", other, external_id="F-0")])) == 1


def test_a_credit_never_runs_beside_the_invoice_that_it_names() -> None:
    note = offer("A-1", "C1", kind="credit_note", references={"preceding": [{"number": "F-0"}]})
    assert len(lanes([*_many(), note])) == 1


def test_a_debtor_told_by_its_identifiers_alone_is_not_parted_from_its_number() -> None:
    unnamed = offer("F-X", "C1", debtor={"siren": "552100554", "name": "x"})
    assert len(lanes([*_many(), unnamed])) == 1
