"""What the linter finds, in words: the step, the field, the rule, what is wrong and what to do, in French and English.

The rule it protects: every rule has all of its sentences in both languages; an error blocks a version, a warning does
not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the linter; its sentences name facts in braces."""

    severity: Severity
    fr: str
    en: str
    remedy_fr: str
    remedy_en: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `step` is empty where it is about the whole policy; `field` is its place."""

    rule: str
    step: str
    field: str
    facts: Mapping[str, Any]

    @property
    def severity(self) -> Severity:
        return RULES[self.rule].severity

    def said(self, language: Literal["fr", "en"]) -> tuple[str, str]:
        """What is wrong, and what to do about it."""
        rule, facts = RULES[self.rule], {"step": self.step, **self.facts}
        told = (rule.fr, rule.remedy_fr) if language == "fr" else (rule.en, rule.remedy_en)
        return told[0].format(**facts), told[1].format(**facts)


RULES: Mapping[str, Rule] = {
    "shape": Rule(
        "error",
        "Le fichier n'est pas une politique : {detail}",
        "The file is no policy: {detail}",
        "Corrigez ce champ ; docs/policy.schema.json décrit la forme.",
        "Correct this field; docs/policy.schema.json describes the shape.",
    ),
    "amount_without_currency": Rule(
        "error",
        "Un montant est écrit sans sa devise : {detail}",
        "An amount is written without its currency: {detail}",
        "Écrivez chaque montant avec sa devise, comme {{EUR: \"1000.00\"}} ou 1000.00 EUR.",
        "Write every amount with its currency, like {{EUR: \"1000.00\"}} or 1000.00 EUR.",
    ),
    "unreachable": Rule(
        "error",
        "L'étape « {step} » n'est jamais atteinte, quoi qu'il arrive.",
        "Step “{step}” is never reached, whatever happens.",
        "Retirez-la, ou changez ce qui la retient : sa place, ses conditions, ses montants.",
        "Remove it, or change what keeps it back: its place, its conditions, its amounts.",
    ),
    "never_true": Rule(
        "error",
        "La condition de l'étape « {step} » ne peut jamais être vraie : {condition}",
        "The condition of step “{step}” can never be true: {condition}",
        "Corrigez la condition, ou retirez l'étape.",
        "Correct the condition, or remove the step.",
    ),
    "out_of_order": Rule(
        "error",
        "L'étape « {step} » (J{offset:+d}) est écrite après « {before} » (J{other:+d}), qui vient plus tard.",
        "Step “{step}” (D{offset:+d}) stands after “{before}” (D{other:+d}), which comes later.",
        "Écrivez les étapes dans l'ordre de leurs jours.",
        "Write the steps in the order of their days.",
    ),
    "gap_minimum": Rule(
        "error",
        "L'écart entre deux messages est de {gap} jours ouvrés, moins que {least}.",
        "The gap between two notices is {gap} working days, less than {least}.",
        "Portez gap_days à {least} ou plus.",
        "Set gap_days to {least} or more.",
    ),
    "gap_too_short": Rule(
        "error",
        "« {step} » peut venir {days} jours ouvrés après « {before} », moins que l'écart de {gap}.",
        "“{step}” can come {days} working days after “{before}”, less than the gap of {gap}.",
        "Éloignez les deux étapes d'au moins {gap} jours ouvrés.",
        "Put at least {gap} working days between the two steps.",
    ),
    "formal_unproven": Rule(
        "error",
        "La mise en demeure « {step} » n'est précédée que de {count} relances vraiment envoyées au client.",
        "The formal notice “{step}” follows only {count} reminders that are really sent to the payer.",
        "Mettez deux relances par e-mail ou lettre avant elle, et conditions.delivered_notices à 2 au moins.",
        "Put two reminders by e-mail or letter before it, and conditions.delivered_notices at 2 or more.",
    ),
    "too_many_contacts": Rule(
        "error",
        "Un client peut recevoir {count} relances en {days} jours, plus que {most} : {witness}.",
        "A payer can get {count} reminders in {days} days, more than {most}: {witness}.",
        "Baissez budget.notices, ou éloignez les étapes ; une mise en demeure ne compte pas dans le budget.",
        "Lower budget.notices, or put the steps further apart; a formal notice is outside of the budget.",
    ),
    "window_never_opens": Rule(
        "error",
        "L'étape « {step} » ne part jamais : sa plage d'envoi ne s'ouvre pas quand elle est possible.",
        "Step “{step}” never leaves: its window does not open while it is possible.",
        "Donnez à la plage un jour ouvré de plus, ou plus d'écart à l'étape.",
        "Give the window one more working day, or the step more room.",
    ),
    "nobody_there": Rule(
        "error",
        "L'étape « {step} » a besoin d'une personne, mais sa plage ne s'ouvre que le week-end.",
        "Step “{step}” needs a person, but its window opens on weekends only.",
        "Ajoutez un jour de lundi à vendredi à la plage.",
        "Add a day from Monday to Friday to the window.",
    ),
    "window_often_closed": Rule(
        "warning",
        "L'étape « {step} » ne part que pour certaines échéances : {open} jours de la semaine sur 7.",
        "Step “{step}” leaves for some due dates only: those on {open} of 7 weekdays.",
        "Donnez à la plage plus de jours, ou plus d'écart à l'étape.",
        "Give the window more days, or the step more room.",
    ),
    "template_missing": Rule(
        "error",
        "L'étape « {step} » nomme le texte « {template} », que personne n'a écrit.",
        "Step “{step}” names the text “{template}”, which nobody has written.",
        "Écrivez ce texte en français et en anglais, ou nommez-en un qui existe.",
        "Write this text in French and English, or name one that exists.",
    ),
    "language_missing": Rule(
        "error",
        "Le texte « {template} » de l'étape « {step} » n'existe pas en {language}.",
        "The text “{template}” of step “{step}” does not exist in {language}.",
        "Écrivez-le dans cette langue aussi.",
        "Write it in this language too.",
    ),
    "currency_uncovered": Rule(
        "warning",
        "L'étape « {step} » n'a pas de seuil en {currency}, que le reste de la politique nomme : tout passe.",
        "Step “{step}” has no threshold in {currency}, which the policy names elsewhere: everything passes.",
        "Ajoutez un montant dans cette devise.",
        "Add an amount in this currency.",
    ),
    "amounts_crossed": Rule(
        "error",
        "À l'étape « {step} », le minimum en {currency} dépasse le maximum.",
        "At step “{step}” the minimum in {currency} is above the maximum.",
        "Échangez les deux montants.",
        "Exchange the two amounts.",
    ),
}  # fmt: skip
