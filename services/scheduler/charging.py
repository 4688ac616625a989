"""Charges as people act on them: quoted, invoiced, waived, collected; and the accounts they are read from.

The rule it protects: to claim is a person's act, under the lock of the item's case, so that two people never claim the
same day. A waiver needs a reason and a manager; a rate needs a second person.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound, Refused
from libs.common.ids import named
from services.scheduler import debts
from services.scheduler.charges import proof
from services.scheduler.charges.account import Account
from services.scheduler.charges.claims import Claim, Kind, State, may_become
from services.scheduler.charges.interest import Debt
from services.scheduler.charges.rates import Index, Rate, RateBook, shipped
from services.scheduler.charges.regimes import CONSUMER, Regime
from services.scheduler.charges.terms import imputation_of, regime_of, terms_of
from services.scheduler.commands import Asker, item_target
from services.scheduler.commitments import disputes
from services.scheduler.credit import insolvency
from services.scheduler.errors import AlreadyEnded
from services.scheduler.store import charges as store
from services.scheduler.store import holds, insurance, items

Row = Mapping[str, Any]
KINDS: tuple[Kind, ...] = ("interest", "lump_sum")


class Tariffs:
    """Our own table of rates, read once, and a tenant's approved rows on top of it."""

    def __init__(self) -> None:
        self._shipped: RateBook | None = None

    def shipped(self) -> RateBook:
        """The table that comes with the product."""
        if self._shipped is None:
            self._shipped = shipped()
        return self._shipped

    async def book(self, db: AsyncConnection, tenant: UUID) -> RateBook:
        """The rates of a tenant."""
        own = await store.rates(db, tenant, state="approved")
        return self.shipped().with_more(rate_of(row) for row in own) if own else self.shipped()


def rate_of(row: Row) -> Rate:
    """A row of charge_rate → a rate."""
    return Rate(
        index=cast(Index, row["series"]),
        valid_from=row["valid_from"],
        percent=Decimal(row["percent"]),
        source=row["source"],
        published_on=row["published_on"],
        entered_by=row["entered_by"],
        approved_by=row["approved_by"],
    )


@dataclass(frozen=True)
class Charged:
    """An item's row with its account."""

    row: Row
    account: Account
    claims: Sequence[Row]

    @property
    def regime(self) -> Regime | None:
        return self.account.regime


async def accounts(db: AsyncConnection, tenant: UUID, ids: Collection[UUID], tariffs: Tariffs) -> dict[UUID, Charged]:
    """Item → its account, for those of these items that were invoiced; one question a table for all."""
    rows = [row for row in await items.of_ids(db, tenant, ids) if row["due_date"] is not None]
    if not rows:
        return {}
    known = {row["item_id"] for row in rows}
    debtors = {row["debtor_id"] for row in rows}
    claimed = defaultdict(list)
    for claim in await store.claims_of(db, tenant, known, {row["invoice_id"] for row in rows}):
        claimed[claim["invoice_id"]].append(claim)
    owing = await less_expected(db, tenant, await debts.debts(db, tenant, rows))
    found = _Found(
        debts=await until_judgment(db, tenant, rows, owing),
        claims=claimed,
        terms=await store.terms_now(db, tenant, debtors | {row["entity_id"] for row in rows}),
        files=await store.files(db, tenant, debtors),
        countries=await store.countries(db, tenant),
        numbers=await store.numbers_of(db, tenant, {row["number"] for row in rows}),
        book=await tariffs.book(db, tenant),
    )
    return {row["item_id"]: found.charged(row) for row in rows}


@dataclass(frozen=True)
class _Found:
    debts: Mapping[UUID, Debt]
    claims: Mapping[UUID, Sequence[Row]]
    terms: Mapping[UUID, Row]
    files: Mapping[UUID, Any]
    countries: Mapping[UUID, str]
    numbers: Collection[str]
    book: RateBook

    def charged(self, row: Row) -> Charged:
        file = self.files.get(row["debtor_id"])
        entity, debtor = (terms_of(self.terms.get(row[name])) for name in ("entity_id", "debtor_id"))
        public = file is not None and file.profile == "public_body"
        country = self.countries.get(row["entity_id"], "FR")
        of_invoice = self.claims.get(row["invoice_id"], ())
        claims = [each for each in of_invoice if each["kind"] == "lump_sum" or each["item_id"] == row["item_id"]]
        regime = regime_of(country, public_debtor=public, entity=entity, debtor=debtor)
        refused = _refused(row, file)
        if regime is not None and regime.key in CONSUMER:
            refused.discard("consumer")
        account = Account(
            debt=self.debts[row["item_id"]],
            regime=regime,
            book=self.book,
            imputation=imputation_of(entity, debtor),
            claims=[claim_of(each) for each in claims],
            refused=refused,
            is_charge=row["number"] in self.numbers,
        )
        return Charged(row, account, claims)


async def less_expected(db: AsyncConnection, tenant: UUID, found: Mapping[UUID, Debt]) -> dict[UUID, Debt]:
    """The same debts without what upheld disputes will credit: what is not owed bears no interest."""
    less = dict(found)
    for row in await holds.upheld(db, tenant, found):
        debt = less[row["item_id"]]
        dispute = disputes.Dispute("upheld", row["amount_minor"], row["principal_minor"] or debt.principal)
        expected = disputes.expected(dispute, found[row["item_id"]].principal)
        less[row["item_id"]] = replace(debt, principal=max(0, debt.principal - expected))
    return less


async def until_judgment(
    db: AsyncConnection, tenant: UUID, rows: Collection[Row], found: Mapping[UUID, Debt]
) -> dict[UUID, Debt]:
    """The same debts; interest of claims from before an insolvency judgment stops on its eve (L. 622-28)."""
    opened = await insurance.insolvent(db, tenant, {row["payer_id"] for row in rows})
    stopped = dict(found)
    for row in rows:
        judgment = opened.get(row["payer_id"], {}).get("judgment_on")
        if judgment is not None and insolvency.earlier(row["issue_date"], judgment):
            stopped[row["item_id"]] = replace(found[row["item_id"]], stops_on=insolvency.interest_to(judgment))
    return stopped


def _refused(row: Row, file: Any) -> set[str]:
    told = set(row["not_chased"].split(",")) if row["not_chased"] else set()
    return told | {name for name in ("consumer", "intercompany") if file is not None and getattr(file, name)}


def claim_of(row: Row) -> Claim:
    """A row of charge → a claim."""
    return Claim(row["kind"], row["state"], row["first_day"], row["last_day"], row["amount_minor"], row["ends"])


async def charged(asker: Asker, item_id: UUID, tariffs: Tariffs) -> Charged:
    """One item's account. Raises NotFound."""
    found = await accounts(asker.db, asker.tenant, [item_id], tariffs)
    if item_id not in found:
        raise NotFound(f"There is no item {item_id}.")
    return found[item_id]


async def decide(  # noqa: PLR0917 - an act in the order of its words
    asker: Asker, item_id: UUID, kinds: Sequence[Kind], state: State, until: date, tariffs: Tariffs, **facts: Any
) -> list[Row]:
    """Quote, invoice or waive what may be claimed of an item up to a day. Raises NotFound, or Refused for nothing."""
    await item_target(asker, item_id)
    found = await charged(asker, item_id, tariffs)
    if found.account.why_not is not None:
        raise Refused(
            f"Nothing is claimed of this item: {found.account.why_not}.",
            field="item_id",
            remedy="GET /v1/items/{item_id}/charges says why; set terms for its debtor or company if that is wrong.",
        )
    claims = [claim for kind in kinds if (claim := found.account.next(kind, until)) is not None]
    rows = [claim_row(asker, found, claim, state, **facts) for claim in claims]
    taken = await store.claim(asker.db, rows)
    if not taken:
        raise Refused(
            f"There is nothing of {' and '.join(kinds)} to claim up to {until}.",
            field="until",
            remedy="It was claimed or waived before, the item is not late, or its rate is not published.",
        )
    return taken


def claim_row(asker: Asker, found: Charged, claim: Claim, state: State, **facts: Any) -> dict[str, Any]:
    """The row of a claim in a state, with the proof it was made by."""
    row, account = found.row, found.account
    of = row["invoice_id"] if claim.kind == "lump_sum" else row["item_id"]
    place = () if claim.kind == "lump_sum" else (claim.first.isoformat(),)
    interest = claim.kind == "interest"
    sheet = account.sheet(claim.last)
    told = {"ends": False, "invoice_number": None, "reason": ""} | facts
    return {
        "tenant_id": row["tenant_id"],
        "charge_id": named("charge", row["tenant_id"], of, claim.kind, *place),
        "item_id": row["item_id"],
        "invoice_id": row["invoice_id"],
        "entity_id": row["entity_id"],
        "payer_id": row["payer_id"],
        "kind": claim.kind,
        "first_day": claim.first,
        "last_day": claim.last,
        "amount_minor": claim.minor,
        "currency": row["currency"],
        "regime": account.regime.key if account.regime is not None else "",
        "provisional": interest and sheet.provisional,
        "state": state,
        "proof": proof.kept(sheet) if interest else {},
        "author": asker.subject,
        "quoted_at": asker.now,
        "decided_at": None if state == "quoted" else asker.now,
        **told,
        "ends": interest and told["ends"],
    }


async def turn(asker: Asker, charge_id: UUID, state: State, **facts: Any) -> Row:
    """A charge becomes collected or waived. Raises NotFound or AlreadyEnded."""
    row = await store.one(asker.db, asker.tenant, charge_id)
    if row is None:
        raise NotFound(f"There is no charge {charge_id}.")
    if not may_become(row["state"], state):
        raise AlreadyEnded(f"This charge is {row['state']}; it cannot become {state}.", field="state")
    changed = {"state": state, "decided_at": asker.now, "author": asker.subject} | facts
    return await store.change(asker.db, asker.tenant, charge_id, **changed)
