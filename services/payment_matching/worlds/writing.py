"""Writing a world: items.jsonl, payments.jsonl, truth.jsonl and identities.jsonl, one JSON object a line."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson

from services.payment_matching.worlds.abroad import CURRENCY, Bank
from services.payment_matching.worlds.knobs import Knobs
from services.payment_matching.worlds.ledger import FIRST_DAY, ledger
from services.payment_matching.worlds.payments import Paid, payments
from services.payment_matching.worlds.people import Debtor, Item


def write(folder: Path, knobs: Knobs, seed: int, open_items: int, count: int) -> dict[str, int]:
    """Make a world and write it; answers how many lines each file has. The same arguments write the same bytes."""
    dice = Random(seed)  # noqa: S311 - a world is made up, nothing is kept secret by it
    debtors, items = ledger(dice, knobs, open_items)
    bank = Bank(Random(f"{seed} abroad"), knobs)  # noqa: S311 - as above; the other dice fall as without it
    bank.move(debtors)
    known = [one for one in debtors if dice.random() < knobs.known_ibans]
    ledger_lines = [_item(item) for item in items]
    paid = payments(dice, knobs, debtors, count)
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "items": _lines(folder / "items.jsonl", ledger_lines),
        "payments": _lines(folder / "payments.jsonl", (_payment(n, one, bank) for n, one in enumerate(paid))),
        "truth": _lines(folder / "truth.jsonl", (_truth(n, one) for n, one in enumerate(paid))),
        "identities": _lines(folder / "identities.jsonl", _identities(known)),
    }


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    count = 0
    with path.open("wb") as file:
        for row in rows:
            file.write(orjson.dumps({name: value for name, value in row.items() if value is not None}) + b"\n")
            count += 1
    return count


def _item(item: Item) -> dict[str, Any]:
    issued = FIRST_DAY - timedelta(days=item.issued)
    return {
        "id": item.id,
        "debtor": item.debtor.id,
        "debtor_name": item.debtor.name,
        "number": item.number,
        "kind": "credit_note" if item in item.debtor.credits else "invoice",
        "amount": _amount(item.cents),
        "currency": item.debtor.currency,
        "issue_date": issued.isoformat(),
        "due_date": (FIRST_DAY - timedelta(days=item.due)).isoformat(),
        "order_number": item.order,
        "reference": item.reference,
        "discount": {"percent": item.discount[0], "days": item.discount[1]} if item.discount else None,
    }


def _payment(n: int, paid: Paid, bank: Bank) -> dict[str, Any]:
    booked, rate = bank.book(paid)
    return {
        "id": f"P{n:07d}",
        "value_date": (FIRST_DAY + timedelta(days=paid.day)).isoformat(),
        "amount": _amount(booked),
        "currency": CURRENCY,
        "instructed": {"amount": _amount(paid.cents), "currency": paid.currency} if paid.told else None,
        "exchange_rate": rate if paid.told else None,
        "payer_name": paid.name,
        "payer_iban": paid.iban,
        "remittance": paid.said.remittance,
        "end_to_end_id": paid.said.end_to_end,
        "structured_reference": paid.said.structured,
    }


def _truth(n: int, paid: Paid) -> dict[str, Any]:
    return {"payment": f"P{n:07d}", "items": [item.id for item in paid.items], "kind": paid.kind}


def _identities(known: list[Debtor]) -> Iterable[dict[str, Any]]:
    """Known accounts; a head office's account is known for the debtors it pays for too."""
    for one in known:
        yield {"debtor": one.id, "iban": one.iban}
        if one.head is not None:
            yield {"debtor": one.id, "iban": one.head.iban}


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
