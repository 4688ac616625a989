"""What people do through the console to other services' things: one line of the audit for each command carried out.

Ids, kinds, dates and numbers are kept, no free text. What only looks at something is no deed.
"""

import re
from collections.abc import Mapping
from typing import Any

from libs.common import logs
from libs.common.calls import Waiting
from services.console import audit
from services.console.audit import Deed
from services.console.people.lookup import Person
from services.console.room import Room

LOOKS = ("/preview", "/check", "/look", "/lookups", "/simulations", "/lint", "/worth")
KEPT = (
    "kind", "outcome", "review_on", "promised_for", "amount", "above", "count", "code", "scope", "scope_id", "item_id",
)  # fmt: skip
PROPOSED = {"payments.allocations": "payments.proposals", "open_items.write_offs": "open_items.proposals"}
"""What is only proposed as long as its owner says that it waits for a second person."""
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SINGULAR = {"policies": "policy", "deliveries": "delivery", "cases": "case"}


async def note(room: Room, person: Person, called: tuple[str, str, str], how: Mapping[str, Any], answer: Any) -> None:
    """Write down what an owner was asked to do and did: `called` is its name, the method and the path."""
    owner, method, path = called
    form = (how.get("sent") or {}).get("data") or {}
    told = how.get("json")
    body: dict[str, Any] = told if isinstance(told, dict) else {}
    if method == "GET" or path.endswith(LOOKS) or form.get("dry_run") == "true" or body.get("dry_run") is True:
        return
    action, kind, subject = named(method, path, answer)
    if isinstance(answer, Waiting):
        action = PROPOSED.get(action, action)
    facts = {name: _plain(body[name]) for name in KEPT if body.get(name) not in (None, "")}
    if isinstance(body.get("ids"), list):
        facts["ids"] = len(body["ids"])
    deed = Deed(person.tenant_id, room.clock.now(), person.actor, action, kind, subject, {"owner": owner, **facts})
    try:
        async with room.database.transaction(person.tenant_id) as db:
            await audit.write(db, deed)
    except Exception as error:
        # It is done, and its owner has it on record; the page must not say otherwise.
        logs.logger().error("deed.not_written", action=action, error=type(error).__name__)


def named(method: str, path: str, answer: Any) -> tuple[str, str, str]:
    """`POST /v1/holds/<id>/lift` → holds.lift, hold, <id>; what is made new is named by the answer's id."""
    ids = _ID.findall(path)
    words = [part for part in path.removeprefix("/internal").split("/")[2:] if part and not _ID.fullmatch(part)]
    if method == "DELETE":
        words.append("remove")
    elif method in ("PATCH", "PUT"):
        words.append("change")
    if words[0] == "templates":
        ids, words = ["/".join(words[1:3])], [words[0], words[-1]]
    noun = words[0]
    kind = _SINGULAR.get(noun, noun.removesuffix("s"))
    made = answer if isinstance(answer, dict) else {}
    subject = ids[0] if ids else next((str(made[name]) for name in made if name == "id" or name.endswith("_id")), "")
    return ".".join(words).replace("-", "_"), kind.replace("-", "_"), subject


def _plain(value: Any) -> Any:
    return f"{value['amount']} {value['currency']}" if isinstance(value, dict) and "amount" in value else value
