"""Texts that a tenant wrote itself, as the linter needs them: asked of the notifier when a policy names one of them."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from libs.common.calls import Peers
from services.scheduler.case import TO_PAYER
from services.scheduler.linting import TEXTS
from services.scheduler.policy import Policy


class OwnTexts:
    """Asks only when a step names a text that does not come with the product."""

    def __init__(self, peers: Peers) -> None:
        self.peers = peers

    async def of(self, tenant: UUID, policy: Policy) -> dict[str, Collection[str]]:
        """Name → its languages, of the texts in use. Raises Unavailable when the notifier does not answer."""
        named = {step.template for step in policy.steps if step.kind in TO_PAYER}
        if named <= TEXTS:
            return {}
        told = await self.peers.get("notifier", "/v1/templates", tenant=tenant, roles=("auditor",))
        found: dict[str, list[str]] = defaultdict(list)
        for text in told["templates"]:
            found[text["key"]].append(text["language"])
        return dict(found)
