"""What console says on the compacted `relance.directory`: who may do what, for whom. Secrets travel sealed."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from libs.common.events.envelope import Body


class DirectoryBody(Body):
    """About one entry of the directory; the topic keeps the last of each key."""

    topic: ClassVar[str] = "relance.directory"

    directory_version: int
    """Rises with every change of the whole directory: a service that reports it has heard all before it."""

    @property
    def key(self) -> str:
        return f"{self.tenant_id}:{type(self).kind}:{self.subject}"

    kind: ClassVar[str]


class TenantConfigured(DirectoryBody):
    """A tenant as it stands."""

    kind: ClassVar[str] = "tenant"

    name: str
    sandbox: bool = False
    stopped: bool = False
    """The emergency stop: nothing leaves for this tenant until a person resumes it."""

    @property
    def subject(self) -> UUID:
        return self.tenant_id


class EntityConfigured(DirectoryBody):
    """A creditor company: its calendar, zone and sending identity."""

    kind: ClassVar[str] = "entity"

    entity_id: UUID
    name: str
    siren: str | None = None
    country: str = "FR"
    region: str | None = None
    """The part of the country whose own public holidays count too, by its code in ISO 3166-2: `57` is Moselle."""
    closed_days: list[date] = []
    """Days on which the company does no business, besides weekends and public holidays."""
    time_zone: str = "Europe/Paris"
    language: Literal["fr", "en"] = "fr"
    currency: str = "EUR"
    sender_name: str
    sender_email: str
    reply_to: str | None = None
    phone: str | None = None
    mode: Literal["shadow", "live"] = "shadow"
    approvals: Literal["confirm", "policy"] = "confirm"
    """A new entity has every notice confirmed by a person; `policy` leaves it to the policy's steps."""
    run_in: Literal["required", "waived"] = "required"
    """A new entity's steps earn their `none` and its days their volume; waived: its reminders were proven elsewhere."""
    policy: str = "standard"
    feed_required: bool = True
    settlement_master: Literal["erp", "relance"] = "relance"
    """Whose ledger says what is settled: `erp` settles what its snapshots no longer list, `relance` exports its own."""
    ledger_tolerance: int = 0
    """By how many whole units of its currency the two ledgers may differ before its reminders wait."""

    @property
    def subject(self) -> UUID:
        return self.entity_id


class ApiKeyIssued(DirectoryBody):
    """A machine client may call; only the SHA-256 of the key's secret travels."""

    kind: ClassVar[str] = "api_key"

    key_id: UUID
    prefix: str
    secret_sha256: str
    scopes: list[str]
    expires_at: datetime | None = None

    @property
    def subject(self) -> UUID:
        return self.key_id


class ApiKeyRevoked(DirectoryBody):
    """A machine client may call no more."""

    kind: ClassVar[str] = "api_key"

    key_id: UUID

    @property
    def subject(self) -> UUID:
        return self.key_id


class SourceConfigured(DirectoryBody):
    """A webhook source with up to two live secrets (AES-256-GCM, sealed for the services)."""

    kind: ClassVar[str] = "source"

    source_id: UUID
    entity_id: UUID
    slug: str
    purpose: Literal["invoices", "payments"]
    sealed_secrets: list[str]
    active: bool = True

    @property
    def subject(self) -> UUID:
        return self.source_id


class BankDetailsApproved(DirectoryBody):
    """An account of ours that debtors may be asked to pay to; two people said so."""

    kind: ClassVar[str] = "bank_details"

    bank_account_id: UUID
    entity_id: UUID
    iban: str
    bic: str | None = None
    holder: str
    currency: str = "EUR"
    required: bool = True
    """Whether reminders wait when its statements are late."""
    effective_at: datetime

    @property
    def subject(self) -> UUID:
        return self.bank_account_id
