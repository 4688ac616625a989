"""Evidence in words, French and English: what a person reads beside a suggestion."""

from collections.abc import Mapping

from libs.common.money import Money
from libs.common.spoken import Language, money

_WORDS: Mapping[str, tuple[str, str]] = {
    "quoted_checked": (
        "référence structurée de {number} trouvée, clé de contrôle juste",
        "structured reference of {number} found, check digits right",
    ),
    "quoted_full": ("numéro {number} trouvé dans le libellé", "number {number} found in the text"),
    "quoted_digits": ("chiffres de {number} trouvés dans le libellé", "digits of {number} found in the text"),
    "quoted_order": ("numéro de commande de {number} trouvé", "order number of {number} found"),
    "quoted_group": (
        "une partie du numéro {number} trouvée dans le libellé",
        "a part of number {number} found in the text",
    ),
    "quoted_near": (
        "numéro {number} trouvé à une faute près",
        "number {number} found but for a slip",
    ),
    "payer_named": ("client indiqué par la source", "customer named by the source"),
    "payer_iban": ("compte bancaire connu pour ce client", "bank account known for this customer"),
    "payer_name": ("nom du donneur d'ordre égal à celui du client", "payer's name equals the customer's"),
    "payer_other": ("le donneur d'ordre semble être un autre client", "the payer seems to be another customer"),
    "amount_equal": ("montant égal au centime près", "amount equal to the cent"),
    "sum_equal": ("somme de {count} factures égale au centime près", "sum of {count} invoices equal to the cent"),
    "sum_all_due": ("tout l'échu du client ({count} factures)", "everything due from the customer ({count} invoices)"),
    "sum_oldest_first": ("les {count} plus anciennes factures du client", "the customer's {count} oldest invoices"),
    "sum_month": ("les {count} factures d'un même mois", "the {count} invoices of one month"),
    "amount_netted": (
        "{count} factures moins {credits} avoirs, au centime près",
        "{count} invoices less {credits} credit notes, to the cent",
    ),
    "amount_partial": ("paiement partiel, il resterait {money}", "part payment, {money} would remain"),
    "amount_discounted": ("escompte de {money}, dans les conditions", "cash discount of {money}, within its terms"),
    "payer_provider": (
        "compte du prestataire de paiement {name}",
        "account of the payment provider {name}",
    ),
    "amount_payout": (
        "moins {money}, ce que retiendrait un prestataire de paiement",
        "less {money}, as a payment provider would keep",
    ),
    "amount_plan": (
        "montant égal à la prochaine échéance du plan convenu, {money}",
        "amount equal to the next instalment of the agreed plan, {money}",
    ),
    "amount_rounded": ("arrondi de {money}", "rounded by {money}"),
    "amount_over": ("trop-perçu de {money}", "{money} too much"),
    "closed_quoted": ("{number} est déjà soldée : doublon possible", "{number} is already settled: maybe paid twice"),
    "instructed": (
        "{money} ordonnés, comptabilisés {booked} selon la banque",
        "{money} ordered, booked as {booked} by the bank",
    ),
    "instructed_at": (
        "{money} ordonnés, comptabilisés {booked} au cours de {rate} selon la banque",
        "{money} ordered, booked as {booked} at {rate} by the bank",
    ),
    "amount_not_told": (
        "la banque n'indique aucun montant en {in} : rien n'est converti",
        "the bank told no amount in {in}: nothing is converted",
    ),
    "erp_unclear": (
        "l'ERP nomme {number} sans montant applicable en {in} : à vous de le dire",
        "the ERP named {number} with no amount that can be given in {in}: yours to say",
    ),
    "unread": ("numéros sans explication : {text}", "numbers nothing explains: {text}"),
}


def say(code: str, facts: Mapping[str, str | int], language: Language) -> str:
    """One reason as a phrase; an amount among the facts is given as `minor` and `currency`, what was booked for it as
    `booked_minor` and `booked_currency`, and both and a rate read as people of the language write them."""
    phrase = _WORDS[code][0 if language == "fr" else 1]
    said: dict[str, str | int] = dict(facts)
    for name, of in (("money", ""), ("booked", "booked_")):
        if f"{of}minor" in facts:
            said[name] = money(Money(int(facts[f"{of}minor"]), str(facts[f"{of}currency"])), language)
    if "rate" in facts and language == "fr":
        said["rate"] = str(facts["rate"]).replace(".", ",")
    return phrase.format(**said)
