"""Groupe Valmont: three companies, about 300 customers with their habits, 3,000 invoices over twelve months."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Literal

from libs.common.demo import names, numbers

Profile = Literal["good", "regular", "slow", "strategic", "public_body"]

Approvals = Literal["policy", "confirm"]

ENTITIES: tuple[tuple[str, str, str, Approvals], ...] = (
    ("VEM", "Valmont Emballages", "Lyon", "policy"),
    ("VLO", "Valmont Logistique", "Nantes", "confirm"),
    ("VSE", "Valmont Services", "Lille", "confirm"),
)
"""Code, name, town, and whether a person confirms every notice: the two younger companies still want that."""
CUSTOMERS_EACH = 100
INVOICES = 3_000
TERMS = (30, 30, 45, 45, 60)
VAT_RATE = 20


@dataclass(frozen=True)
class Company:
    """One of our entities."""

    code: str
    name: str
    city: str
    approvals: Approvals
    siren: str
    iban: str

    @property
    def mailbox(self) -> str:
        return f"compta.clients@{self.name.split()[-1].lower()}.valmont.example"


@dataclass(frozen=True)
class Person:
    """A contact at a customer. `answers` is false for an address that bounces."""

    name: str
    email: str
    role: Literal["accounts_payable", "manager"]
    answers: bool = True


@dataclass(frozen=True)
class Habit:
    """How a customer pays, in days after the due date, and what its transfers say."""

    by_itself: float
    """Share of its invoices that it pays without being asked."""
    delay: int
    spread: int
    remittance: Literal["number", "digits", "list", "vague"]
    disputes: float


HABITS: dict[Profile, Habit] = {
    "good": Habit(0.93, -1, 2, "number", 0.005),
    "regular": Habit(0.72, 2, 4, "number", 0.015),
    "slow": Habit(0.25, 9, 8, "digits", 0.03),
    "strategic": Habit(0.60, 5, 6, "list", 0.02),
    "public_body": Habit(0.80, 4, 10, "number", 0.005),
}
SHARES: tuple[Profile, ...] = ("good",) * 9 + ("regular",) * 6 + ("slow",) * 3 + ("strategic",) * 2 + ("public_body",)


@dataclass(frozen=True)
class Customer:
    """A debtor of one entity; `head_office` is the external id of the account that pays for it."""

    external_id: str
    entity: str
    name: str
    siren: str
    city: str
    profile: Profile
    iban: str
    terms: int
    people: tuple[Person, ...]
    head_office: str | None = None

    @property
    def habit(self) -> Habit:
        return HABITS[self.profile]


@dataclass(frozen=True)
class Sale:
    """One invoice; amounts in cents."""

    number: str
    entity: str
    customer: str
    issued: date
    due: date
    net: int
    order: str

    @property
    def tax(self) -> int:
        return round(self.net * VAT_RATE / 100)

    @property
    def gross(self) -> int:
        return self.net + self.tax


@dataclass(frozen=True)
class Group:
    """The whole demo company as it stands on `today`, the last day of the play."""

    today: date
    companies: tuple[Company, ...]
    customers: dict[str, Customer]
    sales: tuple[Sale, ...] = field(repr=False)


def found(today: date, seed: int = 2026) -> Group:
    """The company whose twelve months end on `today`."""
    random = Random(seed)  # noqa: S311 - draws a story, guards nothing
    companies = tuple(_company(random, *entity) for entity in ENTITIES)
    customers = {one.external_id: one for company in companies for one in _customers(random, company.code)}
    return Group(today, companies, customers, tuple(_sales(random, customers, today)))


def _company(random: Random, code: str, name: str, city: str, approvals: Approvals) -> Company:
    return Company(code, name, city, approvals, numbers.siren(random), numbers.iban(random))


def _customers(random: Random, entity: str) -> list[Customer]:
    made: list[Customer] = []
    taken: set[str] = set()
    for place in range(CUSTOMERS_EACH):
        external_id = f"{entity}-C{place + 1:04d}"
        if place % 25 in (1, 2, 3):
            made.append(_shop(random, external_id, made[-(place % 25)]))
        else:
            made.append(_customer(random, external_id, entity, taken))
    return made


def _customer(random: Random, external_id: str, entity: str, taken: set[str]) -> Customer:
    profile = random.choice(SHARES)
    draw = names.public_body if profile == "public_body" else names.firm
    name = draw(random)
    while name in taken:
        name = draw(random)
    taken.add(name)
    people = tuple(_people(random, external_id))
    return Customer(
        external_id,
        entity,
        name,
        numbers.siren(random),
        random.choice(names.TOWNS),
        profile,
        numbers.iban(random, "20041" if profile == "public_body" else "30004"),
        30 if profile == "public_body" else random.choice(TERMS),
        people,
    )


def _shop(random: Random, external_id: str, head: Customer) -> Customer:
    """A shop of a head office that pays for it."""
    return Customer(
        external_id,
        head.entity,
        f"{head.name.rsplit(' ', 1)[0]} – {random.choice(names.TOWNS)}",
        head.siren,
        random.choice(names.TOWNS),
        head.profile,
        head.iban,
        head.terms,
        head.people,
        head_office=head.external_id,
    )


def _people(random: Random, external_id: str) -> list[Person]:
    host = f"{external_id.lower()}.client.example"
    accounts = Person(names.person(random), f"comptabilite@{host}", "accounts_payable", random.random() > 0.02)
    manager = Person(names.person(random), f"direction@{host}", "manager")
    return [accounts, manager] if random.random() < 0.6 else [accounts]


def _sales(random: Random, customers: dict[str, Customer], today: date) -> list[Sale]:
    keys = sorted(customers)
    weights = [random.paretovariate(1.6) for _ in keys]
    days = [today - timedelta(days=offset) for offset in range(364, 0, -1)]
    working = [day for day in days if day.weekday() < 5]
    drawn = sorted((random.choice(working), random.choices(keys, weights)[0]) for _ in range(INVOICES))
    counters: dict[tuple[str, int], int] = {}
    return [_sale(random, customers[key], day, counters) for day, key in drawn]


def _sale(random: Random, customer: Customer, issued: date, counters: dict[tuple[str, int], int]) -> Sale:
    place = counters[customer.entity, issued.year] = counters.get((customer.entity, issued.year), 0) + 1
    net = int(random.lognormvariate(11.4, 0.9))
    return Sale(
        f"{customer.entity}-{issued.year}-{place:05d}",
        customer.entity,
        customer.external_id,
        issued,
        issued + timedelta(days=customer.terms),
        max(net, 4_500),
        f"BC{random.randrange(10**6):06d}",
    )
