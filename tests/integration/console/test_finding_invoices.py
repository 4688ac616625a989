"""The list of invoices where words are looked for: by customer and by number, each once, and counted alike."""

import random
from dataclasses import replace
from uuid import UUID

import pytest

from libs.common.clock import today
from libs.common.db import Database
from libs.common.settings import Settings
from services.console.pages.web import ZONE
from services.console.store import invoices, kept
from services.console.store.ledger import Chosen
from services.console.store.slices import Found, Question
from tests.integration.console.conftest import Console
from tests.integration.console.history import History
from tests.integration.console.test_read_model import hear

WORDS = "Maison 1"


@pytest.fixture(scope="module")
async def history(console: Console, settings: Settings) -> History:
    """Two customers; the words are in the name of the first and in numbers of both. One invoice is paid."""
    tenant, _ = await console.tenant()
    history = History(tenant, random.Random(3))
    other, named = history.debtor(0), history.debtor(1)
    for debtor, number in ((named, "F1"), (named, "MAISON 1-A"), (other, "Maison 1-B"), (other, "F2"), (named, "F3")):
        history.invoice(debtor, number, 10_000, parts=2)
    for item in [item for item, known in history.items.items() if history.invoices[known["invoice"]]["number"] == "F3"]:
        history.pay(item, 5_000)
    loops = Database(settings, "console", "loop")
    await hear(loops, history.events, 50)
    async with loops.transaction() as db:
        await kept.settle(db, tenant, today(console.clock, ZONE), sales=True)
    await loops.close()
    return history


async def found(console: Console, tenant: UUID, state: str, *, order: str = "due", words: str = WORDS) -> Found:
    chosen = replace(Chosen(), words=words)
    question = Question(tenant, today(console.clock, ZONE), chosen, {"state": state}, order=order)
    async with console.room.database.transaction(tenant) as db:
        return await invoices.listed(db, question)


@pytest.mark.parametrize(
    ("state", "numbers", "owed"),
    [
        ("open", {"F1", "MAISON 1-A", "Maison 1-B"}, 30_000),
        ("overdue", {"F1", "MAISON 1-A", "Maison 1-B"}, 30_000),
        ("paid", {"F3"}, 0),
        ("all", {"F1", "MAISON 1-A", "Maison 1-B", "F3"}, 0),
        ("cancelled", set(), 0),
    ],
)
async def test_words_find_a_customers_invoices_and_numbers_each_once(
    console: Console, history: History, state: str, numbers: set[str], owed: int
) -> None:
    for order in ("due", "number", "customer", "amount", "left", "issued"):
        told = await found(console, history.tenant, state, order=order)
        assert sorted(line["number"] for line in told.lines) == sorted(numbers), order
        assert told.count == len(numbers)
        assert sum(each.minor for each in told.sums) == owed


async def test_words_that_nothing_holds_find_nothing(console: Console, history: History) -> None:
    for state in ("open", "all"):
        told = await found(console, history.tenant, state, words="zz%_\\")
        assert (told.lines, told.count) == ([], 0)
