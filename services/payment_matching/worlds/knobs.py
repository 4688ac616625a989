"""The knobs of a world, and sets of them that are unlike one another.

`home` is close to what a French company of medium size sees; `north`, `south` and `east` are shifted: other numbering
schemes, words, discounts, fees, withholdings and habits, so that a matcher fitted to one is found out by another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from libs.common.errors import RelanceError

_CLASSES: Mapping[str, float] = {
    "single": 56,
    "several": 12,
    "credit_note": 2,
    "oldest_first": 1.5,
    "all_due": 1.5,
    "month": 1,
    "contiguous": 1,
    "partial": 3.5,
    "discount": 3,
    "fee": 2,
    "rounding": 1.5,
    "withholding": 1,
    "overpayment": 1,
    "wrong_reference": 1.2,
    "third_party": 2,
    "group": 1.5,
    "duplicate": 0.8,
    "prepayment": 1.5,
    "on_account": 1,
    "not_receivable": 4.5,
    "skipping": 0,
}


class UnknownKnob(RelanceError):
    """There is no such knob or set, or the value does not fit it."""

    code = "unknown_knob"
    status = 422
    remedy = "`relance match worlds` lists the sets and their knobs."


@dataclass(frozen=True)
class Knobs:
    """Shares are of 1; `classes` are weights. A scheme is a format of year, yy, month, serial, branch, customer.

    `foreign` debtors are invoiced in one of `currencies` and pay into an account in euros; the banks of `converted` of
    them tell what was ordered.
    """

    country: str = "FR"
    schemes: tuple[str, ...] = ("FA-{year}-{serial:06d}", "F{yy}{month:02d}-{serial:05d}", "{serial:07d}")
    forms: tuple[str, ...] = ("SARL", "SAS", "SA", "EURL")
    labels: tuple[str, ...] = ("FACTURE", "Fact.", "REGLEMENT FACTURE", "VIR", "PAIEMENT", "RGLT FACT N", "")
    tails: tuple[str, ...] = ("", "", "", "MERCI", "CLIENT 4471", "DOSSIER 88213", "REF INT 2026/113")
    items_per_debtor: float = 8.0
    catalogue: float = 0.3
    prices: int = 12
    credit_notes: float = 0.025
    references: float = 0.1
    reference_kind: str = "rf"
    orders: float = 0.4
    discounted: float = 0.15
    discounts: tuple[float, ...] = (2.0, 3.0)
    fees: tuple[int, ...] = (500, 1000, 1500, 1800)
    withholdings: tuple[float, ...] = (5.0, 10.0)
    rounding: int = 5
    fractions: tuple[float, ...] = (0.5, 0.3, 0.25)
    known_ibans: float = 0.72
    new_iban: float = 0.05
    no_iban: float = 0.05
    odd_names: float = 0.35
    groups: float = 0.04
    structured: float = 0.14
    end_to_end: float = 0.12
    full: float = 0.36
    bare: float = 0.1
    digits: float = 0.06
    serial: float = 0.08
    order: float = 0.05
    silent: float = 0.09
    typos: float = 0.025
    ocr: float = 0.01
    truncated: float = 0.01
    folded: float = 0.08
    cut: int = 140
    foreign: float = 0.0
    currencies: tuple[str, ...] = ("USD", "GBP", "CHF")
    converted: float = 0.7
    classes: Mapping[str, float] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", {**_CLASSES, **(self.classes or {})})


SETS: Mapping[str, Knobs] = {
    "home": Knobs(),
    "clean": Knobs(
        typos=0.003, ocr=0, truncated=0, folded=0.02, silent=0.02, serial=0.02, structured=0.3, known_ibans=0.9
    ),
    "north": Knobs(
        country="BE",
        schemes=("{serial:05d}/{yy}/{branch:03d}", "VF{serial:06d}-{year}", "{yy}{branch:02d}{serial:05d}"),
        forms=("NV", "BV", "SRL", "GMBH"),
        labels=("FACTUUR", "BETALING FAKTUUR NR", "RECHNUNG", "INV", "OV", ""),
        tails=("", "", "KLANTNR 20391", "ONZE REF 55102", "DANK U"),
        reference_kind="ogm",
        references=0.25,
        discounts=(1.5, 2.5),
        fees=(350, 725, 1250),
        withholdings=(7.5,),
        rounding=9,
        fractions=(0.4, 0.6, 0.2),
        catalogue=0.2,
        silent=0.07,
        serial=0.1,
    ),
    "south": Knobs(
        country="IT",
        schemes=("{branch}/{serial:04d}/{year}", "{serial}/{letter}-{yy}", "FT{customer}.{serial:05d}.{yy}"),
        forms=("SRL", "SPA", "SNC", "SAS"),
        labels=("SALDO FATTURA", "FATT. N.", "PAG FT", "BONIFICO", "SALDO FT NR", ""),
        tails=("", "", "CIG Z4F1A2B3C4", "COD CLIENTE 7715", "GRAZIE"),
        discounts=(1.0, 4.0),
        fees=(110, 260, 2000),
        withholdings=(4.0, 20.0),
        rounding=3,
        fractions=(1 / 3, 0.7),
        catalogue=0.4,
        prices=8,
        known_ibans=0.65,
        odd_names=0.45,
        references=0.05,
        typos=0.035,
        folded=0.12,
    ),
    "east": Knobs(
        country="FI",
        schemes=("{year}{month:02d}{serial:05d}", "R-{serial:05d}-{branch:02d}", "{customer}-{serial:04d}/{yy}"),
        forms=("OY", "AB", "AS", "OU"),
        labels=("LASKU", "FAKTURA", "ARVE NR", "INVOICE", "MAKSU", ""),
        tails=("", "ASIAKASNRO 11822", "TACK", "KIITOS", "PROJ 5501"),
        reference_kind="731",
        references=0.4,
        structured=0.3,
        full=0.24,
        discounts=(3.5,),
        fees=(290, 880),
        withholdings=(13.0,),
        rounding=50,
        fractions=(0.1, 0.45, 0.8),
        catalogue=0.45,
        prices=20,
        items_per_debtor=14.0,
        cut=70,
    ),
}


def chosen(world: str, told: Sequence[str]) -> Knobs:
    """The knobs of a set, with NAME=VALUE over them. Raises UnknownKnob."""
    if world not in SETS:
        raise UnknownKnob(f"There is no set {world!r}; there are {', '.join(SETS)}.", field="world")
    knobs = SETS[world]
    for one in told:
        name, _, value = one.partition("=")
        knobs = replace(knobs, **{name: _value(knobs, name, value)})
    return knobs


def _value(knobs: Knobs, name: str, value: str) -> Any:
    """A number or text by its name; several are separated by `|`, classes are CLASS:WEIGHT."""
    if name not in {field.name for field in fields(Knobs)}:
        raise UnknownKnob(f"There is no knob {name!r}.", field="knob")
    now = getattr(knobs, name)
    try:
        if isinstance(now, Mapping):
            parts = (part.partition(":") for part in value.split("|"))
            return {**now, **{kind: float(weight) for kind, _, weight in parts}}
        if isinstance(now, tuple):
            return tuple(type(now[0])(part) for part in value.split("|"))
        return type(now)(value)
    except ValueError:
        raise UnknownKnob(f"{value!r} is no value of {name}, as {now!r} is.", field="knob") from None


def described() -> list[dict[str, Any]]:
    """Each knob with its value in every set."""
    every = {name: asdict(knobs) for name, knobs in SETS.items()}
    return [
        {"knob": field.name} | {name: _shown(values[field.name]) for name, values in every.items()}
        for field in fields(Knobs)
    ]


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{kind}:{weight:g}" for kind, weight in value.items())
    return " | ".join(map(str, value)) if isinstance(value, tuple) else str(value)
