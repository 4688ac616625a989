"""The doors of the scheduler, one module a noun: HTTP in, HTTP out, no rules."""

from collections.abc import Sequence

from fastapi import APIRouter

from services.scheduler.api import (
    assignments,
    balances,
    calendars,
    cases,
    charges,
    credit,
    declarations,
    disputes,
    endpoints,
    findings,
    holds,
    insurance,
    items,
    kpis,
    lookups,
    occurrences,
    past_reminders,
    plans,
    policies,
    policy_acts,
    profiles,
    promises,
    rates,
    recovery,
    rehearsals,
    run_ins,
    shadow,
    simulations,
    undecided,
)


def routers() -> Sequence[APIRouter]:
    """All of them."""
    rooms = (
        undecided, assignments, policies, policy_acts, findings, simulations, rehearsals, profiles, cases, items, holds,
        promises, plans, disputes, occurrences, run_ins, calendars, lookups, rates, charges, kpis, balances,
        past_reminders, shadow, credit, insurance, declarations, endpoints, recovery,
    )  # fmt: skip
    return [room.routes for room in rooms]
