"""Setting the stage: the tenant with its people, entities, accounts, keys and sources, as an administrator would."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from libs.common.demo.company import Company, Group
from libs.common.demo.office import ADMINISTRATOR, Office, Source

LOGIN = "helene.lacombe@valmont.example"
SCOPES = [
    "invoices:read",
    "invoices:write",
    "debtors:read",
    "debtors:write",
    "payments:read",
    "payments:write",
    "reminders:read",
    "reminders:write",
    "notices:read",
    "notices:write",
    "notices:approve",
]
PEOPLE = (
    ("nadia.ferrand@valmont.example", "Nadia Ferrand", "collector"),
    ("thomas.aubry@valmont.example", "Thomas Aubry", "collector"),
    ("julien.besson@valmont.example", "Julien Besson", "sales_owner"),
    ("bruno.imbert@valmont.example", "Bruno Imbert", "treasurer"),
    ("claire.vasseur@valmont.example", "Claire Vasseur", "manager"),
    ("laurent.joly@valmont.example", "Laurent Joly", "manager"),
)


@dataclass(frozen=True)
class Stage:
    """What was set up. `password` is shown once, at the end of the demo."""

    tenant: UUID
    password: str
    api_key: str
    entities: Mapping[str, UUID]
    sources: Mapping[str, Source]


async def set_stage(office: Office, group: Group) -> Stage:
    """Make it all. The clock must stand at least 72 hours before the first day of the play: new bank details wait."""
    made = await office.open_tenant("Groupe Valmont", {"email": LOGIN, "name": "Hélène Lacombe"})
    for email, name, role in PEOPLE:
        user = {"email": email, "name": name, "roles": [role], "portfolio": name if role == "collector" else None}
        await office.post("console", "/v1/directory/users", user, by=ADMINISTRATOR)
    for user in await office.get("console", "/v1/directory/users", by=ADMINISTRATOR):
        office.accounts[user["email"].partition("@")[0]] = f"user:{user['user_id']}"
    entities, sources = {}, {}
    for company in group.companies:
        entities[company.code] = await _entity(office, company)
        await office.open_account(entities[company.code], company.iban, company.name)
        sources[company.code] = await office.add_source(
            entities[company.code], f"erp-{company.code.lower()}", "invoices"
        )
    key = {"label": "ERP", "scopes": SCOPES, "kind": "test"}
    issued = await office.post("console", "/v1/directory/api-keys", key, by=ADMINISTRATOR)
    return Stage(office.tenant, made["password"], issued["token"], entities, sources)


async def _entity(office: Office, company: Company) -> UUID:
    return await office.open_entity(
        company.name,
        approvals=company.approvals,
        siren=company.siren,
        sender_email=company.mailbox,
        reply_to=company.mailbox,
        phone="+33 4 72 00 00 00",
    )
