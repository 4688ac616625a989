"""Why it was sent, why not, and what comes next, for one item at one instant, in French and English.

The rule it protects: every reason code that a decision can give has a sentence in both languages (checked by a test),
and the sentences tell facts, not the state of a program.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from services.scheduler.case import TO_PAYER, Case, Item, Mark, Reason
from services.scheduler.grouping import Verdict, confirmed_first
from services.scheduler.planner import Decision
from services.scheduler.policy import Step
from services.scheduler.running_in import WANTED

Language = Literal["fr", "en"]

REASONS: Mapping[str, tuple[str, str]] = {
    "settled": ("Elle est soldée.", "It is settled."),
    "cancelled": ("La facture est annulée.", "The invoice was cancelled."),
    "not_chased": ("Elle n'est pas relancée : {why}.", "It is not chased: {why}."),
    "take_over": (
        "Reprise d'historique : une personne doit décider avant toute relance.",
        "Imported history: a person decides before anything is sent.",
    ),
    "held": ("Suspendue à la main, à revoir le {until}.", "On hold, to be reviewed on {until}."),
    "excluded": ("Exclue des relances, à revoir le {until}.", "Excluded from reminders, to be reviewed on {until}."),
    "promised": ("Une promesse de règlement court jusqu'au {until}.", "A promise to pay runs until {until}."),
    "in_plan": ("Un échéancier court jusqu'au {until}.", "An instalment plan runs until {until}."),
    "disputed": ("Contestée par le client, à revoir le {until}.", "Disputed, to be reviewed on {until}."),
    "disputed_part": (
        "Une partie est contestée : pas de mise en demeure.",
        "A part of it is disputed: no formal notice.",
    ),
    "reply_unread": (
        "Le client a répondu ; la réponse n'est pas traitée.",
        "The payer replied; nobody has read it yet.",
    ),
    "in_recovery": (
        "Remise au recouvrement : elle ne se relance plus ici.",
        "It was handed on to be recovered: nothing leaves from here.",
    ),
    "insolvent": (
        "Le client est en procédure collective : la créance se déclare, elle ne se relance pas.",
        "The payer is in insolvency proceedings: the claim is filed, not chased.",
    ),
    "undeliverable": (
        "L'étape « {step} » n'est pas arrivée le {since} : elle attend un nouveau contact.",
        "Step “{step}” did not arrive on {since}: it waits for another contact.",
    ),
    "credit_pending": ("Un avoir attend d'être imputé.", "A credit note waits to be applied."),
    "cash_on_account": (
        "Un règlement non affecté peut la solder ; attente jusqu'au {until}.",
        "Money on account may pay it; waiting until {until}.",
    ),
    "net_not_positive": (
        "Les règlements et avoirs non affectés couvrent ce qui est dû.",
        "Money and credits on account cover what is owed.",
    ),
    "thanked": ("Le client a été remercié le {on}.", "The payer was thanked on {on}."),
    "thanked_today": (
        "Un remerciement est parti aujourd'hui ; reprise le {until}.",
        "A thank-you left today; the next one on {until} at the earliest.",
    ),
    "thanks_passed": (
        "Trop tard pour remercier : le délai est passé le {on}.",
        "Too late for a thank-you: its time was over on {on}.",
    ),
    "thanks_failed": (
        "Le remerciement n'a pas pu partir le {on} ; il n'est pas retenté.",
        "The thank-you could not be sent on {on}; it is not tried again.",
    ),
    "not_reminded": (
        "Soldée sans qu'aucune relance ne soit partie : pas de remerciement.",
        "Settled before any reminder was delivered: no thank-you.",
    ),
    "ladder_done": ("Toutes les étapes sont faites : une personne décide.", "Every step is done: a person decides."),
    "escalated": (
        "Une mise en demeure est présentée : plus aucune relance courtoise.",
        "A formal notice was presented: no reminder leaves any more.",
    ),
    "not_yet": ("L'étape « {step} » est prévue le {on}.", "Step “{step}” is planned for {on}."),
    "said": ("L'étape « {step} » est faite depuis le {on}.", "Step “{step}” was done on {on}."),
    "courtesy_passed": (
        "La prévenance n'a plus lieu d'être si près de l'échéance.",
        "The notice before the due date no longer makes sense.",
    ),
    "condition_unmet": (
        "L'étape « {step} » attend que ceci soit vrai : {condition}",
        "Step “{step}” waits for this to be true: {condition}",
    ),
    "too_few_delivered": (
        "Il faut d'abord {wanted} relances vraiment reçues.",
        "{wanted} reminders must have been delivered before.",
    ),
    "answered": (
        "Le client a donné signe de vie : pas encore {wanted} e-mails sans réponse.",
        "The payer gave a sign of life: not yet {wanted} unanswered e-mails.",
    ),
    "below_threshold": ("Montant sous le seuil de l'étape « {step} ».", "Below the threshold of step “{step}”."),
    "above_threshold": ("Montant au-dessus du plafond de l'étape « {step} ».", "Above the ceiling of step “{step}”."),
    "feed_missing": (
        "Aucun relevé bancaire n'est connu : on ne relance pas à l'aveugle.",
        "No bank statement is known: nothing leaves blindly.",
    ),
    "feed_stale": (
        "Relevés bancaires à jour jusqu'au {covered_to} seulement ; il faut le {needed}.",
        "Bank data cover {covered_to} only; {needed} is needed.",
    ),
    "in_flight": ("L'étape « {step} » est en cours d'envoi.", "Step “{step}” is being sent."),
    "awaiting_approval": (
        "L'étape « {step} » attend une validation depuis le {since}.",
        "Step “{step}” has waited for approval since {since}.",
    ),
    "task_open": (
        "L'étape « {step} » attend quelqu'un depuis le {since} : un appel, une visite, un courrier à présenter.",
        "Step “{step}” has waited for somebody since {since}: a call, a visit, or a letter to be presented.",
    ),
    "not_delivered_yet": (
        "« {step} » est parti le {since} et compte une fois qu'un jour ouvré a passé sans retour.",
        "“{step}” left on {since} and counts once a working day has passed with nothing coming back.",
    ),
    "uncertain": (
        "Nul ne sait si le dernier envoi est parti : une personne tranche.",
        "Nobody can tell whether the last message left: a person decides.",
    ),
    "notice_in_flight": ("Un autre message à ce client est en cours.", "Another message to this payer is under way."),
    "gap": (
        "Dernier contact le {last} : pas d'autre avant le {until}.",
        "Last contact on {last}: none before {until}.",
    ),
    "budget": (
        "Déjà {notices} messages récents : pas d'autre avant le {until}.",
        "{notices} recent messages already: none before {until}.",
    ),
    "formal_first": (
        "Une mise en demeure est prévue le {on} : rien ne la retarde.",
        "A formal notice is planned for {on}: nothing delays it.",
    ),
    "ramping_up": (
        "Montée en charge de la société : au plus {most} messages aujourd'hui ; reprise le {until}.",
        "The entity is ramping up: at most {most} notices today; the next ones on {until}.",
    ),
    "spread_out": (
        "Rattrapage : au plus {most} relances en retard par jour ; reprise le {until}.",
        "Catching up: at most {most} late reminders a day; the next ones on {until}.",
    ),
    "missed": (
        "L'étape « {step} » du {on} n'a pas pu avoir lieu à temps : elle est passée.",
        "Step “{step}” of {on} could not be done in time: it is left out.",
    ),
    "confirmed_first": (
        "Une personne valide chaque message de l'étape « {step} » : {approved} validés sur les {wanted} attendus.",
        "A person confirms every notice of step “{step}”: {approved} of {wanted} wanted are approved.",
    ),
    "call_first": ("Un appel passe d'abord.", "A call comes first."),
    "window_closed": ("Hors des heures d'envoi ; reprise le {opens}.", "Outside sending hours; they open {opens}."),
    "tenant_stopped": ("Tous les envois sont arrêtés.", "All sending is stopped."),
    "payer_unknown": ("La fiche du payeur n'est pas encore connue.", "The payer's file is not known yet."),
    "debtor_changed_since": (
        "La fiche du client a changé depuis, le {on} : ce qu'elle disait alors n'est plus connu.",
        "The payer's file changed since, on {on}: what it said then is not known any more.",
    ),
    "other_cases_then": (
        "Ce client a d'autres comptes : ce qui s'y préparait alors n'est plus connu.",
        "The payer has other accounts: what was under way there then is not known any more.",
    ),
    "run_in_then": (
        "La société était en montée en charge : ce qui pouvait encore partir ce jour-là n'est plus connu.",
        "The entity was on its run-in: how much could still leave that day is not known any more.",
    ),
    "unknown_then": (
        "Personne n'avait encore annoncé cette échéance ce jour-là.",
        "Nobody had told of this instalment by then.",
    ),
    "not_released_then": (
        "Selon ce qui est connu, l'étape « {step} » devait partir ; elle n'est pas partie ce jour-là.",
        "By all that is known step “{step}” was due then; it was not released that day.",
    ),
    "calendar_unknown": (
        "Aucun calendrier de jours fériés ou fuseau horaire n'est connu pour « {what} » : rien ne part.",
        "No calendar of holidays and no clock is known for “{what}”: nothing leaves.",
    ),
    "shadow": (
        "Société ou politique en observation : rien ne part.",
        "The entity or its policy is in shadow: nothing leaves.",
    ),
    "no_policy": ("La politique de la société est introuvable.", "The entity's policy does not exist."),
    "outside_group": ("Elle attend le message suivant.", "It waits for the next message."),
    "due": ("L'étape « {step} » part maintenant.", "Step “{step}” is due now."),
}
WHY: Mapping[str, tuple[str, str]] = {
    "consumer": ("particulier", "consumer"),
    "intercompany": ("société du groupe", "intercompany"),
    "collected_otherwise": ("encaissée par prélèvement, effet, carte ou chèque", "collected otherwise"),
    "factored": ("cédée à un affactureur", "factored"),
    "undelivered": ("non déposée sur la plateforme de l'acheteur", "not delivered to the buyer's platform"),
    "insolvency": ("procédure collective", "insolvency"),
    "history": ("historique", "history"),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one item hears next, when, and everything that keeps it silent meanwhile, the strongest reason first."""

    item: Item
    level: int
    next_step: str | None
    next_on: date | None
    now: bool
    reasons: tuple[Reason, ...]
    history: tuple[Mark, ...]


def explain(item: Item, case: Case, decision: Decision) -> Explanation:
    """The item's part of a decision."""
    mine = [verdict for verdict in decision.verdicts if verdict.item.item_id == item.item_id]
    first = mine[0] if mine else None
    told = next((verdict for verdict in mine if verdict.ready), None) or _soonest(mine) or first
    rows = [row for notice in decision.notices for row in notice.rows if row.completes and row.item is item]
    now = bool(rows) and not decision.shown_only
    step = rows[0].step.key if rows else told.step.key if told and told.step else None
    return Explanation(
        item=item,
        level=item.level(),
        next_step=step,
        next_on=told.on if told else None,
        now=now,
        reasons=(
            *_reasons(told, first, bool(rows), decision),
            *_over(item, told),
            *_run_in(case, rows[0].step if rows else None),
        ),
        history=tuple(sorted(item.marks, key=lambda mark: (mark.on, mark.cycle, mark.tone))),
    )


def _over(item: Item, told: Verdict | None) -> list[Reason]:
    """What is said of a settled item is a word of thanks: that it is settled goes with it."""
    return [Reason("settled")] if told is not None and told.step is not None and not item.open else []


def _run_in(case: Case, step: Step | None) -> list[Reason]:
    """What a step still has to earn before its notices leave without a person."""
    if step is None or case.run_in is None or case.approvals == "confirm" or step.kind not in TO_PAYER:
        return []
    if step.approval != "none" or not confirmed_first(case, step):
        return []
    approved = case.run_in.record(step.key).approved
    return [Reason("confirmed_first", {"step": step.key, "approved": approved, "wanted": WANTED})]


def _soonest(verdicts: list[Verdict]) -> Verdict | None:
    """The verdict that time alone will change first; a silence without an end says more than a date."""
    if not verdicts or verdicts[0].block is None or verdicts[0].block.code != "not_yet":
        return None
    return min((verdict for verdict in verdicts if verdict.look_on), key=lambda v: v.look_on or date.max, default=None)


def _reasons(told: Verdict | None, first: Verdict | None, said: bool, decision: Decision) -> list[Reason]:
    if told is None:
        return []
    if said and told.step is not None:
        shadow = [Reason("shadow")] if decision.shown_only else []
        return [*shadow, Reason("due", {"step": told.step.key})]
    if told.ready:
        return [decision.gate or Reason("outside_group")]
    found = [told.block] if told.block is not None else []
    if first is not None and first is not told and first.block is not None:
        found.append(first.block)
    return found


def sentence(reason: Reason, language: Language) -> str:
    """The reason in words. Dates are written day/month/year in French, ISO in English."""
    place = 0 if language == "fr" else 1
    words = {name: _word(value, language) for name, value in reason.facts.items()}
    return REASONS[reason.code][place].format(**words)


def _word(value: Any, language: Language) -> str:
    if isinstance(value, datetime):
        return value.strftime("%d/%m/%Y %H:%M UTC" if language == "fr" else "%Y-%m-%d %H:%M UTC")
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y") if language == "fr" else value.isoformat()
    if value in WHY:
        return WHY[value][0 if language == "fr" else 1]
    return str(value)
