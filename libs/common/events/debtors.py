"""What invoice_ingest says on the compacted `relance.debtors`: the one event that carries names and addresses."""

from typing import ClassVar, Literal
from uuid import UUID

from libs.common.events.envelope import Body, Part

ContactRole = Literal["accounts_payable", "approver", "manager", "relationship"]
Language = Literal["fr", "en"]
PayerProfile = Literal["good", "regular", "slow", "strategic", "public_body"]


class Contact(Part):
    """A person or mailbox at the debtor."""

    contact_id: UUID
    name: str
    email: str | None = None
    phone: str | None = None
    roles: list[ContactRole] = ["accounts_payable"]
    language: Language | None = None


class DebtorChanged(Body):
    """A debtor's file as it stands at this version, whole. A null body means erased."""

    topic: ClassVar[str] = "relance.debtors"

    entity_id: UUID
    debtor_id: UUID
    external_id: str
    name: str
    party_id: UUID
    payer_id: UUID
    """The account that pays: this one, or head office's."""
    group_id: UUID | None = None
    siren: str | None = None
    vat_number: str | None = None
    country: str = "FR"
    language: Language = "fr"
    profile: PayerProfile = "regular"
    collector: str | None = None
    sales_owner: str | None = None
    phone: str | None = None
    ibans: list[str] = []
    """Accounts it is known to pay from."""
    contacts: list[Contact] = []
    consumer: bool = False
    intercompany: bool = False

    @property
    def subject(self) -> UUID:
        return self.debtor_id
