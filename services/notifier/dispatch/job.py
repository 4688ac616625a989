"""One claimed delivery on its way through a lane."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from libs.common.permits import Ask, AskedItem, Permit
from services.notifier.revision import NoticeLine
from services.notifier.store.deliveries import Claim


@dataclass
class Job:
    """A claim with what it prints and the bytes it sends. `lost`: the claim is no longer ours."""

    claim: Claim
    notice: Any
    lines: Sequence[NoticeLine]
    raw: bytes
    return_path: str
    permit: Permit | None = None
    lost: bool = False
    begun: bool = False
    """DATA may have been written."""
    written_at: float = 0.0
    """CLOCK_BOOTTIME just after the body was handed to the kernel; 0 before."""

    def ask(self) -> Ask:
        """What the three services are asked: versions, releases and printed amounts."""
        return Ask(
            delivery_id=self.claim.delivery_id,
            notice_id=self.claim.notice_id,
            reminder_id=self.notice.reminder_id,
            entity_id=self.notice.entity_id,
            payer_id=self.notice.payer_id,
            party_id=self.notice.party_id,
            kind=self.notice.kind,
            tone=self.notice.tone,
            debtor_version=self.claim.debtor_version,
            items=[
                AskedItem(
                    occurrence_id=line.occurrence_id,
                    release=line.release,
                    item_id=line.item_id,
                    invoice_id=line.invoice_id,
                    invoice_version=line.invoice_version,
                    debtor_id=line.debtor_id,
                    amount=line.residual,
                )
                for line in self.lines
            ],
        )
