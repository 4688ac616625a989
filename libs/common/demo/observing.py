"""One company's strategic customers in observation: our policy decides about them, its earlier tool still sends.

What the tool sent is imported on the last day, so that the page of the comparison has both sides: mostly the same,
some of it firmer or softer, some on one side only, as with people who skip what they find too early.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from libs.common.demo.company import Group
from libs.common.demo.lending import payer_id
from libs.common.demo.office import ADMINISTRATOR, MANAGER, Office
from libs.common.demo.stage import Stage

COMPANY = "VSE"
POLICY = "grands_comptes"
WHY = {"why": "Observer avant de confier les grands comptes à l’outil"}
AT_ONCE = 1_000
TURNS = (0, 0, 1, 0, 2, 0, 1, 0, 0, 3)
"""Days by which the tool sent later than we would have, in turn."""


async def observe(office: Office, stage: Stage, group: Group, day: date) -> None:
    """The standard ladder as a policy of its own that nothing leaves by, for the strategic customers of a company."""
    known = (await office.get("scheduler", "/v1/policies", params={"limit": 200}))["items"]
    standard = next(each for each in known if each["name"] == "standard" and each["state"] == "active")
    told = await office.ask("GET", "scheduler", f"/v1/policies/{standard['version_id']}/yaml")
    written = told.text.replace("name: standard", f"name: {POLICY}\nshadow: true", 1)
    made = await office.post("scheduler", "/v1/policies", {"yaml": written}, by=MANAGER)
    for act, by in (("check", MANAGER), ("approve", ADMINISTRATOR), ("activate", ADMINISTRATOR)):
        await office.post("scheduler", f"/v1/policies/{made['version_id']}/{act}", WHY, by=by)
    until = (day + timedelta(days=365)).isoformat()
    body = {"policy": POLICY, "reason": WHY["why"], "expires_on": until, "at_once": True}
    for customer in group.customers.values():
        if (customer.entity, customer.profile) == (COMPANY, "strategic"):
            about = {"debtor_id": str(payer_id(stage, customer))}
            await office.post("scheduler", "/v1/policies/assignments", body | about, by=MANAGER)


async def at_the_end(office: Office, stage: Stage, first: date, last: date) -> None:
    """What the earlier tool sent in these days is imported."""
    entity = stage.entities[COMPANY]
    ours = [each async for each in _decided(office, entity, first, last)]
    lines = list(_sent(ours, last))
    for start in range(0, len(lines), AT_ONCE):
        body = {"entity_id": str(entity), "lines": lines[start : start + AT_ONCE]}
        await office.post("scheduler", "/v1/past-reminders", body, by=MANAGER)


async def _decided(office: Office, entity: UUID, first: date, last: date) -> Any:
    """What we would have sent: the lines of the comparison before anything is imported."""
    asked = {"entity_id": str(entity), "first": first.isoformat(), "last": last.isoformat(), "limit": 200}
    while True:
        page = await office.get("scheduler", "/v1/shadow", params=asked)
        for each in page["items"]:
            yield each
        if page["next"] is None:
            return
        asked["cursor"] = page["next"]


def _sent(ours: list[Mapping[str, Any]], last: date) -> Iterator[dict[str, Any]]:
    """What the tool sent of what we decided: one in six it skipped, some it said in another tone; of some invoices it
    wrote once more, a week later."""
    for place, each in enumerate(ours):
        on = date.fromisoformat(each["ours"]["on"]) + timedelta(days=TURNS[place % len(TURNS)])
        if place % 6 == 5 or on > last:
            continue
        tone = each["ours"]["tone"]
        if place % 5 == 2:
            tone = min(4, tone + 1)
        elif place % 7 == 3:
            tone = max(1, tone - 1)
        yield _line(each, on, tone)
        again = on + timedelta(days=7)
        if place % 3 == 1 and again <= last:
            yield _line(each, again, tone)


def _line(each: Mapping[str, Any], on: date, tone: int) -> dict[str, Any]:
    kind = "final_notice" if tone == 4 else "reminder"
    return {"invoice": each["number"], "sent_on": on.isoformat(), "tone": tone, "kind": kind}
