"""What a notice is written from, read in one question a table, and the facts and text that follow from it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.notifier import guard
from services.notifier.contents import Account, Creditor, Facts, Row, Stated
from services.notifier.recipients import MOST, Person, chosen, typed
from services.notifier.render import KEYS, Renderer, Source
from services.notifier.revision import NoticeLine
from services.notifier.store import facts, mail, notices, templates

OWN: dict[str, str] = {
    "pre_due": "courtesy",
    "final_notice": "final",
    "formal_notice": "formal",
    "task_call": "call",
    "task_visit": "visit",
    "hand_over": "hand_over",
    "internal_notice": "internal",
    "acknowledge": "thanks",
    "statement": "statement",
}


@dataclass(frozen=True)
class Known:
    """What was read for one notice before it is written. `debtor` and `entity` may be untold yet."""

    row: Any
    lines: Sequence[NoticeLine]
    deductions: Sequence[Money]
    entity: Any | None
    debtor: Any | None
    contacts: Sequence[Person]
    accounts: Sequence[Any]
    references: Mapping[UUID, str]
    earlier: Sequence[datetime]
    suppressed: Collection[str]
    texts: Mapping[tuple[UUID, str, str], Source]

    def today(self, now: datetime) -> date:
        """The creditor's date."""
        return now.astimezone(ZoneInfo(self.entity.time_zone if self.entity else "Europe/Paris")).date()


def recipients_of(known: Known) -> list[Person]:
    """The audience's contacts, those a person chose, or the sales owner for a word inside the house."""
    row = known.row
    if row.kind == "internal_notice":
        owner = known.debtor.sales_owner if known.debtor else None
        return chosen([Person(None, "", owner, ("accounts_payable",))], (), known.suppressed)
    if row.recipients:
        return [Person(None, "", address, ()) for address in row.recipients]
    return chosen(known.contacts, row.audience, known.suppressed)


def copies_of(known: Known, people: Sequence[Person]) -> list[str]:
    """Who gets a copy of the first mail: contacts of these roles, the sales owner, the collector; nobody twice."""
    row, debtor = known.row, known.debtor
    house = {"sales_owner": debtor and debtor.sales_owner, "collector": debtor and debtor.collector}
    ours = [Person(None, "", house[role] or None, ("accounts_payable",)) for role in row.cc if role in house]
    theirs = chosen(known.contacts, row.cc, known.suppressed, stand_in=False)
    found = [*theirs, *chosen(ours, (), known.suppressed)]
    written = {person.email for person in people}
    return list(dict.fromkeys(each.email for each in found if each.email and each.email not in written))[:MOST]


def sending_of(known: Known) -> tuple[str, str]:
    """From which address a mail comes and where the answer goes: the company's mailbox, or the payer's collector.

    A collector who has no address in the domain of the mailbox leaves both to the mailbox.
    """
    entity, debtor, wished = known.entity, known.debtor, known.row.sender
    assert entity is not None and debtor is not None
    mailbox = entity.sender_email
    ours = {"mailbox": (mailbox, entity.reply_to or mailbox)}
    collector = typed(debtor.collector)
    if collector is not None and guard.domain(collector) == guard.domain(mailbox):
        ours["collector"] = (collector, collector)
    sender, _ = ours.get(wished.get("by", "mailbox"), ours["mailbox"])
    _, reply_to = ours.get(wished.get("reply_to", "mailbox"), ours["mailbox"])
    return sender, reply_to


def template_of(renderer: Renderer, texts: Mapping[tuple[UUID, str, str], Source], row: Any) -> Source:
    """The tenant's own text under the policy's name, or under our name for this tone, else ours."""
    ours = own_key(row.template, row.kind, row.tone)
    language = row.language
    tenants = texts.get((row.tenant_id, row.template, language)) or texts.get((row.tenant_id, ours, language))
    return tenants or renderer.own[ours, language]


def own_key(name: str, kind: str, tone: int) -> str:
    """Our text for a policy's template name, or for what the step is."""
    if name in KEYS:
        return name
    return OWN.get(kind) or ("friendly" if tone <= 2 else "firm" if tone == 3 else "final")


def notice_facts(known: Known, contact: str, now: datetime) -> Facts:
    """The facts that a template is rendered from."""
    row, entity, debtor = known.row, known.entity, known.debtor
    assert entity is not None and debtor is not None
    return Facts(
        kind=row.kind,
        tone=row.tone,
        language=row.language,
        today=known.today(now),
        creditor=Creditor(
            name=entity.name,
            sender_name=entity.sender_name,
            reply_to=sending_of(known)[1],
            phone=entity.phone or "",
            siren=entity.siren or "",
            country=entity.country,
        ),
        debtor=debtor.name,
        debtor_siren=debtor.siren or "",
        debtor_phone=debtor.phone or "",
        contact=contact,
        rows=[_row(line, known.references) for line in known.lines],
        anchor_item_id=row.anchor_item_id,
        accounts=[
            Account(each.holder, each.iban, each.bic or "", each.currency)
            for each in known.accounts
            if each.effective_at <= now
        ],
        earlier=[each.astimezone(ZoneInfo(entity.time_zone)).date() for each in known.earlier],
        deductions=known.deductions,
        charges=_stated(row.charges, row.language),
    )


def _stated(told: Mapping[str, Any] | None, language: str) -> Stated | None:
    """What the scheduler said of charges; None of a notice that is older than its saying so."""
    if told is None:
        return None
    return Stated(
        basis=told["basis"].get(language, ""),
        lump_sum=told["lump_sum"],
        as_of=date.fromisoformat(told["as_of"]),
        provisional=told["provisional"],
        sums=told.get("sums"),
    )


def _row(line: NoticeLine, references: Mapping[UUID, str]) -> Row:
    return Row(
        item_id=line.item_id,
        invoice_id=line.invoice_id,
        number=line.number,
        issue_date=line.issue_date,
        due_date=line.due_date,
        amount=line.amount,
        residual=line.residual,
        reference=references.get(line.invoice_id, ""),
        paused=line.paused,
        interest=line.interest,
        lump_sum=line.lump_sum,
    )


async def read(db: AsyncConnection, rows: Sequence[Any]) -> list[Known]:
    """Everything these notices are written from, in one question a table."""
    keys = {(row.tenant_id, row.notice_id) for row in rows}
    payers = {(row.tenant_id, row.payer_id) for row in rows}
    entities = {(row.tenant_id, row.entity_id) for row in rows}
    lines, deductions = await notices.lines(db, keys), await notices.deductions(db, keys)
    creditors, accounts = await facts.entities(db, entities), await facts.accounts(db, entities)
    debtors, contacts = await facts.debtors(db, payers), await facts.contacts(db, payers)
    printed = {(row.tenant_id, line.invoice_id) for row in rows for line in lines[row.notice_id]}
    told = await facts.invoices(db, printed)
    addresses = {(tenant, each.email) for (tenant, _), people in contacts.items() for each in people if each.email}
    silent = await mail.suppressed_of(db, addresses)
    references = {key: each.payment_reference for key, each in told.items() if each.payment_reference}
    earlier, texts = await notices.earlier(db, payers), await templates.current(db, {row.tenant_id for row in rows})
    return [
        Known(
            row=row,
            lines=lines[row.notice_id],
            deductions=deductions[row.notice_id],
            entity=creditors.get((row.tenant_id, row.entity_id)),
            debtor=debtors.get((row.tenant_id, row.payer_id)),
            contacts=contacts[row.tenant_id, row.payer_id],
            accounts=accounts[row.tenant_id, row.entity_id],
            references=references,
            earlier=earlier.get((row.tenant_id, row.payer_id), ()),
            suppressed={address for tenant, address in silent if tenant == row.tenant_id},
            texts=texts,
        )
        for row in rows
    ]
