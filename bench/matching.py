"""Matching: payments tried and matched a second at 100,000 open items, and transactions of bank files read a second.

The ledger has colliding amounts, payers with many items, and texts that name their invoice in several ways. Beside
the matching stands what Postgres does with the bare writes of a match in batches of the same size; beside the reading
of camt what lxml needs to parse the same bytes.
"""

import random
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from lxml import etree
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.figures import figure
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.migrate import migrate
from libs.common.settings import Settings
from services.payment_matching.matching import try_payments
from services.payment_matching.receiving import NewPayment, Telling
from services.payment_matching.statements import camt, formats
from services.payment_matching.store import debtors, items, payments
from services.payment_matching.store.debtors import Account, Identity
from services.payment_matching.work import Matching

SERVICE = "payment_matching"
OPEN = 100_000
PAYERS = 12_000
PAYMENTS = 8_000
TRANSACTIONS = 20_000
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
TODAY = AT.date()

_WRITES = text("""
    with item as (update open_item i set version = i.version
                    from unnest(cast(:items as uuid[])) as g(id) where i.tenant_id = :tenant and i.item_id = g.id
                  returning i.item_id),
         paid as (update payment p set version = p.version
                    from unnest(cast(:payments as uuid[])) as g(id)
                   where p.tenant_id = :tenant and p.payment_id = g.id)
    insert into outbox (tenant_id, event_id, topic, key, headers, body)
    select :tenant, gen_random_uuid(), 'bench', 'bench', '{}', '{}' from item, generate_series(1, 2)
""")
_TRIED = text("delete from untried where tenant_id = :tenant")
_MATCHED = text("select count(*) from payment where tenant_id = :tenant and unapplied_minor = 0")
_IDS = text("select payment_id from payment where tenant_id = :tenant order by seq limit 4000")
_ITEM_IDS = text("select item_id from open_item where tenant_id = :tenant order by item_id limit 4000")
_CLEAN = text("delete from outbox where tenant_id = :tenant")


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Exact matching at 100,000 open items, and reading camt."""
    await migrate(settings, [SERVICE])
    database = Database(settings, SERVICE, "loop")
    try:
        return [*await _matching(database), *_reading()]
    finally:
        await database.close()


# Matching


async def _matching(database: Database) -> list[dict[str, Any]]:
    dice = random.Random(8104)
    tenant, entity = uuid7(), uuid4()
    ledger = await _ledger(database, dice, tenant, entity)
    chosen = dice.sample(ledger, PAYMENTS)
    told = [_payment(dice, tenant, entity, n, row) for n, row in enumerate(chosen)]
    for start in range(0, len(told), 500):
        async with database.transaction(tenant) as db:
            await payments.receive(db, AT, told[start : start + 500])
    limit = await _bare(database, tenant)
    loop = Matching(database, FixedClock(AT))
    waits: list[float] = []
    began = time.perf_counter()
    left = PAYMENTS
    while left:
        left = await _turn(database, loop, waits)
    took = time.perf_counter() - began
    async with database.transaction(tenant) as db:
        matched = int(await db.scalar(_MATCHED, {"tenant": tenant}) or 0)
    return [
        figure("payments tried and matched, 100k open", PAYMENTS / took, "payments/s", limit=limit, target=800),
        figure("of them matched alone", 100 * matched / PAYMENTS, "%", target=95),
        figure("slowest batch of 200", 1000 * max(waits), "ms"),
    ]


async def _turn(database: Database, loop: Matching, waits: list[float]) -> int:
    began = time.perf_counter()
    async with database.transaction() as db:
        tried = await try_payments(db, loop.clock.now())
    waits.append(time.perf_counter() - began)
    return tried


async def _ledger(database: Database, dice: random.Random, tenant: UUID, entity: UUID) -> list[items.Row]:
    """Payers with few or many items, a third of the amounts from a price list, four numbering schemes."""
    people = [uuid4() for _ in range(PAYERS)]
    weights = [1 / (n + 10) for n in range(PAYERS)]
    ledger = []
    for n, payer in enumerate(dice.choices(people, weights, k=OPEN)):
        amount = (
            dice.choice((12_000, 24_000, 49_900, 99_000)) if dice.random() < 0.3 else dice.randrange(1_000, 900_000)
        )
        ledger.append(_item(n, tenant, entity, payer, amount))
    for start in range(0, PAYERS, 2_000):
        async with database.transaction() as db:
            await _people(db, tenant, entity, people[start : start + 2_000], start)
    for start in range(0, OPEN, 2_000):
        async with database.transaction() as db:
            await items.add(db, ledger[start : start + 2_000])
    async with database.transaction() as db:
        await db.execute(_TRIED, {"tenant": tenant})
    return ledger


async def _people(db: AsyncConnection, tenant: UUID, entity: UUID, people: Sequence[UUID], first: int) -> None:
    await debtors.change(
        db, [Account(tenant, one, entity, one, None, f"C{first + n}", 1) for n, one in enumerate(people)]
    )
    known = [identity for one in people for identity in debtors.named_so(tenant, one, _name(one))]
    known += [Identity(tenant, "iban", _iban(one), one, "file") for n, one in enumerate(people) if n % 4]
    await debtors.know(db, known)


def _name(payer: UUID) -> str:
    return f"Société {payer.hex[:6]} {payer.hex[6:9]}"


def _iban(payer: UUID) -> str:
    return f"FR76{payer.int % 10**22:022d}"


def _number(n: int) -> str:
    year, serial = 2025 + n % 2, 100_000 + n
    return (f"FA-{year}-{serial}", f"{serial}/{year}", f"F{year % 100}{serial}", f"INV{serial}")[n % 4]


def _item(n: int, tenant: UUID, entity: UUID, payer: UUID, amount: int) -> items.Row:
    issued = TODAY - timedelta(days=30 + n % 90)
    return {
        "tenant_id": tenant,
        "item_id": uuid4(),
        "invoice_id": uuid4(),
        "entity_id": entity,
        "debtor_id": payer,
        "payer_id": payer,
        "number": _number(n),
        "sequence": 1,
        "issued_on": issued,
        "due_on": issued + timedelta(days=30),
        "currency": "EUR",
        "amount_minor": amount,
        "residual_minor": amount,
        "invoice_version": 1,
        "payment_reference": None,
        "order_number": f"PO{n * 7:07d}",
        "discount_minor": 0,
        "discount_until": None,
    }


def _payment(dice: random.Random, tenant: UUID, entity: UUID, n: int, item: items.Row) -> NewPayment:
    number = item["number"]
    said = dice.choice(
        (f"Facture {number}", f"REGLT {number.replace('-', ' ')} MERCI", f"VIR {number.lower()}/CLT 4471")
    )
    return NewPayment(
        tenant_id=tenant,
        entity_id=entity,
        source="api",
        tellings=(Telling("api", f"P{n}"),),
        currency="EUR",
        amount=item["amount_minor"],
        value_on=date(2026, 11, 19),
        payer_name=_name(item["payer_id"]).upper(),
        payer_iban=_iban(item["payer_id"]),
        remittance=said,
        end_to_end_id=f"E2E{n:09d}",
    )


async def _bare(database: Database, tenant: UUID) -> float:
    """Payments a second if matching were nothing but its writes, in batches of 200."""
    async with database.transaction(tenant) as db:
        paid = list((await db.scalars(_IDS, {"tenant": tenant})).all())
        owed = list((await db.scalars(_ITEM_IDS, {"tenant": tenant})).all())
    began = time.perf_counter()
    for start in range(0, len(paid), 200):
        async with database.transaction(tenant) as db:
            told = {"tenant": tenant, "items": owed[start : start + 200], "payments": paid[start : start + 200]}
            await db.execute(_WRITES, told)
    took = time.perf_counter() - began
    async with database.transaction(tenant) as db:
        await db.execute(_CLEAN, {"tenant": tenant})
    return len(paid) / took


# Reading


def _reading() -> list[dict[str, Any]]:
    body = _statement(TRANSACTIONS)
    began = time.perf_counter()
    for _, element in etree.iterparse(_Chunks(body), events=("end",), tag="{*}Ntry", no_network=True):
        element.clear()
    limit = TRANSACTIONS / (time.perf_counter() - began)
    began = time.perf_counter()
    found = camt.read(body)
    took = time.perf_counter() - began
    if len(found.statements[0].entries) != TRANSACTIONS:
        raise ValueError("the statement was not read whole")
    return [
        figure("camt.053 read and proved", TRANSACTIONS / took, "transactions/s", limit=limit, target=10_000),
        _flat("MT940 read and proved", _mt940(TRANSACTIONS)),
        _flat("CFONB 120 read and proved", _cfonb(TRANSACTIONS)),
    ]


def _flat(name: str, body: bytes) -> dict[str, Any]:
    began = time.perf_counter()
    found = formats.read(body)
    took = time.perf_counter() - began
    if len(found.statements[0].entries) != TRANSACTIONS:
        raise ValueError("the statement was not read whole")
    return figure(name, TRANSACTIONS / took, "transactions/s", target=10_000)


class _Chunks:
    """The bytes as a file."""

    def __init__(self, body: bytes) -> None:
        self.body, self.place = body, 0

    def read(self, size: int) -> bytes:
        found = self.body[self.place : self.place + size]
        self.place += size
        return found


def _statement(count: int) -> bytes:
    total = sum(1_000 + n % 900 for n in range(count))
    entries = "".join(_entry(n, 1_000 + n % 900) for n in range(count))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
        "<BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr><Stmt><Id>S</Id><Acct><Id>"
        "<IBAN>FR7630006000011234567890189</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"{_balance('OPBD', 0)}{_balance('CLBD', total)}{entries}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def _balance(code: str, minor: int) -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{minor // 100}.{minor % 100:02d}</Amt>'
        "<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-20</Dt></Dt></Bal>"
    )


def _entry(n: int, minor: int) -> str:
    amount = f'<Amt Ccy="EUR">{minor // 100}.{minor % 100:02d}</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
    return (
        f"<Ntry>{amount}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-20</Dt></BookgDt><ValDt><Dt>2026-11-20</Dt></ValDt>"
        f"<AcctSvcrRef>R{n}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd>"
        f"</Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>E{n}</EndToEndId><TxId>T{n}</TxId></Refs>{amount}"
        f"<RltdPties><Dbtr><Pty><Nm>SARL Dupont {n}</Nm></Pty></Dbtr><DbtrAcct><Id><IBAN>FR76300060000112345{n:08d}"
        "</IBAN></Id></DbtrAcct></RltdPties><RltdAgts><DbtrAgt><FinInstnId><BICFI>AGRIFRPP</BICFI></FinInstnId>"
        f"</DbtrAgt></RltdAgts><RmtInf><Ustrd>Facture FA-2026-{n:06d}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def _mt940(count: int) -> bytes:
    entries = "".join(
        f":61:2611201120CR{(1_000 + n % 900) // 100},{n % 900 % 100:02d}NTRFNONREF//R{n:09d}\r\n"
        f":86:166?00GUTSCHR. UEBERWEISUNG?100599?20EREF+E{n:09d}?21SVWZ+Rechnung FA-2026-?22{n:06d}?30AGRIFRPP\r\n"
        f"?31FR76300060000112345{n:08d}?32SARL Dupont {n}\r\n"
        for n in range(count)
    )
    total = sum(1_000 + n % 900 for n in range(count))
    closing = f":62F:C261120EUR{total // 100},{total % 100:02d}"
    return f":20:S\r\n:25:12030000/1234567890\r\n:28C:1/1\r\n:60F:C261119EUR0,\r\n{entries}{closing}\r\n-\r\n".encode()


def _cfonb(count: int) -> bytes:
    """Each operation has three more records: who, what for, and which transfer."""
    account = "EUR2 12345678901"
    total = sum(1_000 + n % 900 for n in range(count))
    lines = [f"0130006    00001{account}  191126{'':50}{_overpunched(0)}{'':16}"]
    for n in range(count):
        head = f"30006000100001{account}05201126"
        amount = _overpunched(1_000 + n % 900)
        lines += [
            f"04{head}  201126{'VIR SEPA RECU':31}  0000001  {amount}R{n:09d}{'':6}",
            f"05{head}     NPY{f'SARL DUPONT {n}':70}  ",
            f"05{head}     LCC{f'FACTURE FA-2026-{n:06d}':70}  ",
            f"05{head}     RCN{f'E{n:09d}':70}  ",
        ]
    lines.append(f"0730006    00001{account}  201126{'':50}{_overpunched(total)}{'':16}")
    return "\r\n".join(lines).encode()


def _overpunched(minor: int) -> str:
    digits = f"{minor:014d}"
    return digits[:13] + "{ABCDEFGHI"[int(digits[13])]
