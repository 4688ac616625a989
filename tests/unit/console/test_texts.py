"""French and English are complete: the same keys, every key that a template asks for, every code that we can tell."""

import ast
import re
from datetime import date
from pathlib import Path
from string import Formatter
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml

from libs.common import idempotency
from libs.common.auth import ROLES
from libs.common.errors import RelanceError
from libs.common.events import TYPES, debtors, deliveries, payments, reminders
from libs.common.events import invoices as ledger
from libs.common.ids import uuid7
from libs.common.settings import PORTS
from services.console.pages import invoices, listings
from services.console.pages.lists import Listing, shown_by
from services.console.pages.web import HERE, LANGUAGES, Texts
from services.console.projections.activity import SILENT
from services.console.store.ledger import Chosen
from services.console.store.slices import Question
from services.notifier import errors as notifier_errors
from services.payment_matching import errors as matching_errors
from services.scheduler import errors as scheduler_errors
from services.scheduler.case import MarkState
from services.scheduler.commitments.reasons import Reason

TEMPLATES = sorted((HERE / "templates").glob("**/*.html"))
_ASKED = re.compile(r"""\bt\(\s*'([^']+)'\s*(,\s*count=)?""")
_BUILT = re.compile(r"""\bt\(\s*'([^']+)'\s*~""")


def files(language: str) -> list[Path]:
    return sorted((HERE / "texts").glob(f"{language}*.yaml"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_stands_in_two_files(language: str) -> None:
    keys = [key for file in files(language) for key in yaml.safe_load(file.read_text("utf-8"))]
    assert sorted(keys) == sorted(set(keys))


@pytest.mark.parametrize("listing", listings(), ids=lambda listing: str(listing.path))
def test_every_list_has_its_words(listing: Listing) -> None:
    words = Texts("fr").words
    asked = {listing.title, listing.find, listing.none, listing.sums, f"{listing.count}.one", f"{listing.count}.many"}
    asked |= {column.label for column in listing.sheet()} | {choice.label for choice in listing.choices}
    asked |= {choice.words + option for choice in listing.choices for option in choice.options}
    assert asked <= words.keys()
    assert listing.order.removeprefix("-") in listing.orders


def test_a_sheet_tells_the_filters_that_its_lines_passed() -> None:
    chosen = Chosen(collector="Sofia Martins", profile="slow", words="maison")
    asked = Question(uuid7(), date(2026, 11, 23), chosen, picks={"state": "overdue"})
    told = shown_by(Texts("fr"), asked, invoices.LISTING, {})
    assert [value for _, value in told] == ["maison", "Sofia Martins", "Payeur lent", "Échues"]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts_with_the_same_facts() -> None:
    french, english = (Texts(language).words for language in LANGUAGES)
    assert french.keys() == english.keys()
    assert {key for key in french if fields(french[key]) != fields(english[key])} == set()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_text_that_a_template_asks_for_is_there(template) -> None:  # type: ignore[no-untyped-def]
    words = Texts("fr").words
    source = template.read_text("utf-8")
    built = set(_BUILT.findall(source))
    for key, counted in _ASKED.findall(source):
        if key in built:
            assert any(known.startswith(key) for known in words), key
        elif counted:
            assert f"{key}.one" in words, key
            assert f"{key}.many" in words, key
        else:
            assert key in words, key


def test_every_event_role_and_service_has_its_words() -> None:
    words = Texts("fr").words
    assert {name for name, type_ in TYPES.items() if not issubclass(type_, SILENT)} <= {
        key.removeprefix("event.") for key in words if key.startswith("event.")
    }
    assert all(f"role.{role}" in words for role in ROLES)
    assert all(f"service.{service}" in words for service in PORTS)


@pytest.mark.parametrize("module", [scheduler_errors, notifier_errors, matching_errors, idempotency], ids=str)
def test_every_refusal_of_an_owner_has_its_words_and_its_remedy(module: ModuleType) -> None:
    """What only machines can be told is left out: keys, policies, templates and files are no forms of ours."""
    words = Texts("fr").words
    codes = {each.code for each in vars(module).values() if isinstance(each, type) and issubclass(each, RelanceError)}
    told_to_machines = {"policy_invalid", "template_refused", "mail_unreadable", "guard_stopped", "wrong_door"}
    told_to_machines |= {"invalid_idempotency_key", "released_elsewhere", "error"}
    assert {code for code in codes - told_to_machines if f"refusal.{code}" not in words} == set()


def test_plurals_follow_each_language() -> None:
    assert Texts("fr")("operations.lines", count=0) == "0 ligne"
    assert Texts("en")("operations.lines", count=0) == "0 lines"
    assert Texts("fr")("operations.lines", count=1234) == "1\u00a0234 lignes"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_a_style_or_a_script_of_its_own(template) -> None:  # type: ignore[no-untyped-def]
    source = template.read_text("utf-8")
    assert " style=" not in source
    assert not re.search(r"<script(?! src=)", source)
    assert not re.search(r"\son[a-z]+=", source)
    assert "|safe" not in source


def told(annotation: Any) -> set[str]:
    """The words that a Literal, however wrapped, may hold."""
    if get_origin(annotation) is Literal:
        return {str(word) for word in get_args(annotation)}
    return set().union(*(told(inner) for inner in get_args(annotation))) if get_args(annotation) else set()


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("kind", told(reminders.StepKind)),
        ("hold", told(reminders.HoldKind)),
        ("today.remedy", told(reminders.HoldKind)),
        ("task", told(deliveries.TaskBody.model_fields["kind"].annotation)),
        ("outcome", told(deliveries.TaskDone.model_fields["outcome"].annotation)),
        ("not_chased", told(ledger.NotChased)),
        ("means", told(ledger.PaymentMeans)),
        ("due_source", told(ledger.DueSource)),
        ("how", told(payments.How)),
        ("contact", told(debtors.ContactRole)),
        ("profile", told(debtors.PayerProfile)),
        ("mark", told(MarkState)),
        ("dispute", told(Reason)),
        ("disputes", told(reminders.DisputeResolved.model_fields["outcome"].annotation)),
        ("scope", told(reminders.HoldScope)),
        ("reason", told(reminders.HoldLifted.model_fields["reason"].annotation)),
        ("reason", told(payments.InvoiceReopened.model_fields["reason"].annotation)),
    ],
)
def test_every_word_of_the_events_that_a_page_shows_has_its_text(prefix: str, words: set[str]) -> None:
    assert words
    known = Texts("fr").words
    assert {word for word in words if f"{prefix}.{word}" not in known} == set()


def refusals(path: Path) -> set[str]:
    """The codes with which a permit is refused or put off: told to `no` and `again`, or answered as `str | None`."""
    tree = ast.parse(path.read_text())
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.returns)
    deciding = [f for f in functions if ast.unparse(f.returns or f) == "str | None"]
    answers = [r.value for f in deciding for r in ast.walk(f) if isinstance(r, ast.Return) and r.value]
    answered = [part for r in answers for part in ([r.body, r.orelse] if isinstance(r, ast.IfExp) else [r])]
    calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and len(n.args) > 1)
    told = (call.args[1] for call in calls if ast.unparse(call.func).split(".")[-1] in ("no", "again"))
    return {each.value for each in (*answered, *told) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def test_every_refusal_of_a_permit_is_in_words() -> None:
    services = HERE.parents[1]
    places = [*services.glob("*/permitting.py"), services / "scheduler" / "trusting.py"]
    places.append(services / "notifier" / "dispatch" / "asking.py")
    codes = set().union(*map(refusals, places))
    assert {"gap_reserved", "contact_day", "residual_changed", "ramping_up"} <= codes
    assert {code for code in codes if f"reason.{code}" not in Texts("fr").words} == set()
