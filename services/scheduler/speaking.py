"""What the scheduler says of holds, promises, plans and disputes: bodies of events from their rows."""

from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from libs.common.events.reminders import (
    DisputeOpened,
    DisputeResolved,
    HoldLifted,
    HoldPlaced,
    PlanAgreed,
    PlanDefaulted,
    PromiseBroken,
    PromiseCancelled,
    PromiseKept,
    PromiseMade,
)
from libs.common.money import Money

Row = Mapping[str, Any]


def _about(row: Row) -> dict[str, Any]:
    return {
        "tenant_id": row["tenant_id"],
        "version": row["version"],
        "entity_id": row["entity_id"],
        "case_id": row["case_id"],
        "payer_id": row["payer_id"],
    }


def _hold(row: Row) -> dict[str, Any]:
    names = ("tenant_id", "version", "entity_id", "hold_id", "scope", "scope_id", "payer_id", "kind")
    return {name: row[name] for name in names}


def placed(row: Row) -> HoldPlaced:
    """A hold's row → HoldPlaced."""
    amount = None if row["amount_minor"] is None else Money(row["amount_minor"], row["currency"])
    return HoldPlaced(
        **_hold(row), amount=amount, review_on=row["review_on"], lift_at_review=row.get("lift_at_review", False)
    )


def lifted(row: Row) -> HoldLifted:
    """A lifted hold's row → HoldLifted."""
    return HoldLifted(**_hold(row), reason=cast(Any, row["lift_reason"]))


def promised(row: Row) -> PromiseMade:
    """A promise's row → PromiseMade."""
    amount = Money(row["amount_minor"], row["currency"])
    about = _about(row)
    return PromiseMade(
        **about,
        promise_id=row["promise_id"],
        amount=amount,
        promised_for=row["promised_for"],
        item_ids=list(row["item_ids"]),
    )


def promise_ended(row: Row, kept: bool) -> PromiseKept | PromiseBroken:
    """A promise's row → what became of it."""
    body = PromiseKept if kept else PromiseBroken
    return body(**_about(row), promise_id=row["promise_id"])


def promise_cancelled(row: Row) -> PromiseCancelled:
    """A promise's row → PromiseCancelled."""
    return PromiseCancelled(**_about(row), promise_id=row["promise_id"])


def agreed(row: Row) -> PlanAgreed:
    """A plan's row → PlanAgreed."""
    return PlanAgreed(
        **_about(row),
        plan_id=row["plan_id"],
        dates=list(row["dates"]),
        amounts=[Money(minor, row["currency"]) for minor in row["amounts_minor"]],
        item_ids=list(row["item_ids"]),
    )


def defaulted(row: Row, missed_on: date) -> PlanDefaulted:
    """A plan's row and the date of the payment that did not come → PlanDefaulted."""
    return PlanDefaulted(**_about(row), plan_id=row["plan_id"], missed_on=missed_on)


def disputed(row: Row) -> DisputeOpened:
    """A dispute's row → DisputeOpened. Its free text stays here; the event carries the reason's code."""
    return DisputeOpened(
        **_about(row),
        dispute_id=row["dispute_id"],
        item_id=row["item_id"],
        amount=Money(row["amount_minor"], row["currency"]),
        reason=row["reason"],
    )


def resolved(row: Row) -> DisputeResolved:
    """A dispute's row → DisputeResolved."""
    return DisputeResolved(
        **_about(row), dispute_id=row["dispute_id"], item_id=row["item_id"], outcome=cast(Any, row["state"])
    )
