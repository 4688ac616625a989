"""The fields of conditions: what of an item, its case, the debtor, its profile and the deliveries can be asked for.

The rule it protects: a field has one meaning, in both languages, and is read from the facts of the decision alone, so
the same facts give the same answer at any time. Amounts of a case are in the currency of the item that is asked for.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from libs.common.money import Money
from services.scheduler.condition import Fact, Kind, Read
from services.scheduler.profiling import NAMES

if TYPE_CHECKING:
    from services.scheduler.case import Case, Item
    from services.scheduler.judging import Day

BUDGET = timedelta(days=30)
STATES = ("clear", "amicable", "escalated", "in_recovery", "closed")
REOPENED = ("", "released", "unallocated", "returned", "refused_by_debtor", "amended")


def _money(item: "Item", minor: int) -> Money:
    return Money(minor, item.currency)


def _owed(item: "Item", day: "Day") -> Money:
    mine = (other for other in day.case.items if other.open and other.currency == item.currency)
    return _money(item, sum(other.residual for other in mine))


def _overdue(item: "Item", day: "Day") -> Money:
    late = (other for other in _late(day) if other.currency == item.currency)
    return _money(item, sum(other.residual for other in late))


def _late(day: "Day") -> list["Item"]:
    return [other for other in day.case.items if other.open and other.due_date < day.today]


def _oldest(item: "Item", day: "Day") -> int:
    return max(((day.today - other.due_date).days for other in _late(day)), default=0)


def _recent(item: "Item", day: "Day") -> int:
    return sum(on > day.today - BUDGET for on in day.case.party.notices)


def _since_last(item: "Item", day: "Day") -> int | None:
    last = day.case.party.last_notice_on
    return None if last is None else (day.today - last).days


def _since_answer(item: "Item", day: "Day") -> int | None:
    answered = day.case.answered_on
    return None if answered is None else (day.today - answered).days


def _disputed(case: "Case") -> bool:
    return any(pause.kind == "dispute" for item in case.items for pause in item.pauses)


def _states(item: "Item", *states: str) -> int:
    return sum(mark.state in states for mark in item.marks)


def _calls(item: "Item", day: "Day") -> int:
    return sum(mark.kind in ("task_call", "task_visit") and mark.state == "completed" for mark in item.marks)


def _of_profile(name: str) -> Read:
    def read(item: "Item", day: "Day") -> object:
        found = day.case.payer.profile
        return None if found is None else getattr(found, name)

    return read


def _fact(  # noqa: PLR0917 - a line of the table
    name: str, kind: Kind, read: Read, fr: str, en: str, values: tuple[str, ...] = (), *, nullable: bool = False,
    timed: bool = False, least: int | None = 0,
) -> Fact:  # fmt: skip
    counted = kind in ("number", "days", "amount")
    return Fact(name, kind, read, fr, en, values, nullable, timed, least if counted else None)


def _item() -> list[Fact]:
    return [
        _fact("item.amount", "amount", lambda i, d: _money(i, i.amount), "montant de l'échéance", "amount of the item"),
        _fact("item.residual", "amount", lambda i, d: _money(i, i.residual), "reste dû", "what is still owed"),
        _fact("item.undisputed", "amount", lambda i, d: _money(i, i.residual - i.paused()),
              "reste dû hors suspensions", "what is owed and not paused"),
        _fact("item.currency", "text", lambda i, d: i.currency, "devise", "currency"),
        _fact("item.number", "text", lambda i, d: i.number, "numéro de facture", "number of the invoice"),
        _fact("item.due_date", "date", lambda i, d: i.due_date, "date d'échéance", "due date"),
        _fact("item.issue_date", "date", lambda i, d: i.issue_date, "date de facture", "date of the invoice"),
        _fact("item.overdue", "days", lambda i, d: (d.today - i.due_date).days,
              "jours depuis l'échéance", "days since the due date", timed=True, least=None),
        _fact("item.cycle", "number", lambda i, d: i.cycle, "cycle de relance", "cycle of reminders", least=1),
        _fact("item.level", "number", lambda i, d: i.level(), "ton le plus ferme reçu", "hardest tone delivered"),
        _fact("item.partly_paid", "yes_no", lambda i, d: 0 < i.residual < i.amount, "payée en partie", "paid in part"),
        _fact("item.disputed", "yes_no", lambda i, d: any(p.kind == "dispute" for p in i.pauses),
              "contestée, au moins en partie", "disputed, at least in part"),
        _fact("item.reopened_because", "text", lambda i, d: i.cycle_reason,
              "pourquoi elle est rouverte", "why it came back", REOPENED),
    ]  # fmt: skip


def _case() -> list[Fact]:
    return [
        _fact("today", "date", lambda i, d: d.today, "le jour de la décision", "the day of the decision", timed=True),
        _fact("case.state", "text", lambda i, d: d.case.state, "état du dossier", "state of the case", STATES),
        _fact("case.escalated", "yes_no", lambda i, d: d.case.escalated, "mise en demeure présentée",
              "a formal notice was presented"),
        _fact("case.open_items", "number", lambda i, d: sum(o.open for o in d.case.items),
              "échéances dues", "items that are owed"),
        _fact("case.overdue_items", "number", lambda i, d: len(_late(d)), "échéances échues", "items overdue",
              timed=True),
        _fact("case.owed", "amount", _owed, "encours dans la devise de l'échéance", "all owed in the item's currency"),
        _fact("case.overdue", "amount", _overdue, "échu dans la devise de l'échéance", "overdue in the item's currency",
              timed=True),
        _fact("case.oldest", "days", _oldest, "retard de la plus ancienne", "days late of the oldest", timed=True),
        _fact("case.disputed", "yes_no", lambda i, d: _disputed(d.case), "une contestation est en cours",
              "something of it is disputed"),
        _fact("case.since_answer", "days", _since_answer, "jours depuis le dernier signe du client",
              "days since the payer's last sign of life", nullable=True, timed=True),
    ]  # fmt: skip


def _debtor() -> list[Fact]:
    return [
        _fact("debtor.country", "text", lambda i, d: d.case.payer.country, "pays du client", "country of the payer"),
        _fact("debtor.language", "text", lambda i, d: d.case.payer.language, "langue du client",
              "language of the payer", ("fr", "en")),
        _fact("debtor.in_group", "yes_no", lambda i, d: d.case.payer.in_group, "fait partie d'un groupe",
              "is part of a group"),
        _fact("profile.name", "text", _of_profile("name"), "profil payeur", "payer profile", NAMES, nullable=True,
              timed=True),
        _fact("profile.delay", "days", _of_profile("delay"), "retard moyen sur six mois",
              "mean delay over six months", nullable=True, timed=True),
        _fact("profile.late_share", "number", _of_profile("late_share"), "part en retard sur six mois, en %",
              "share paid late over six months, in %", nullable=True, timed=True),
        _fact("profile.items", "number", _of_profile("items"), "échéances jugées sur six mois",
              "items judged over six months", nullable=True, timed=True),
    ]  # fmt: skip


def _deliveries() -> list[Fact]:
    return [
        _fact("deliveries.count", "number", lambda i, d: i.delivered(), "relances reçues pour l'échéance",
              "reminders of the item that arrived"),
        _fact("deliveries.unanswered", "number", lambda i, d: i.unanswered(d.case.answered_on),
              "e-mails reçus et sans réponse", "e-mails that arrived and nobody answered"),
        _fact("deliveries.bounced", "number", lambda i, d: _states(i, "bounced", "failed"), "envois revenus",
              "sendings that came back"),
        _fact("deliveries.calls", "number", _calls, "appels et visites faits", "calls and visits that were made"),
        _fact("deliveries.recent", "number", _recent, "messages au tiers sur 30 jours",
              "notices to the party in 30 days", timed=True),
        _fact("deliveries.since_last", "days", _since_last, "jours depuis le dernier message",
              "days since the last notice", nullable=True, timed=True),
    ]  # fmt: skip


FIELDS: Mapping[str, Fact] = {fact.name: fact for fact in (*_item(), *_case(), *_debtor(), *_deliveries())}
"""Every field that the condition of a step may name."""
OF_CASE: Mapping[str, Fact] = {
    name: fact for name, fact in FIELDS.items() if name.partition(".")[0] in ("today", "case", "debtor", "profile")
}
"""Those that a segment may name: they are the same for every item of a case but for the currency of its amounts."""
