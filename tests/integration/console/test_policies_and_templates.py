"""Policies and templates as pages, before the real scheduler and notifier."""

import gzip
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from uuid import UUID

import pytest
import yaml

from libs.common import directory
from tests.integration.console.street import Resident, Street, street  # noqa: F401 - the fixture itself

DRAFT = """
name: douce
gap_days: 7
window: {days: [tue, thu], opens: "10:00", closes: "12:00"}
steps:
  - {key: friendly, kind: reminder, tone: 2, offset: 5, template: friendly, audience: [accounts_payable]}
  - {key: firm, kind: reminder, tone: 3, offset: 20, template: firm, audience: [accounts_payable], approval: confirm}
"""


@dataclass
class Company:
    """A tenant with one entity and its people."""

    tenant: UUID
    entity: UUID
    administrator: Resident
    manager: Resident
    auditor: Resident


@pytest.fixture(scope="module")
async def company(street: Street) -> AsyncIterator[Company]:  # noqa: F811
    tenant, _ = await street.console.tenant()
    entity = await street.console.entity(tenant)
    await street.spread(tenant)
    people = [await street.person(tenant, role) for role in ("administrator", "manager", "auditor")]
    yield Company(tenant, entity, *people)
    for each in people:
        await each.client.aclose()


async def test_the_standard_ladder_is_shown_on_its_day_axis(company: Company) -> None:
    page = await company.auditor.page("/policies")
    assert 'class="chart ladder"' in page
    assert "J−5 Prévenance" in page
    assert "J+30 Mise en demeure" in page
    version = re.search(r'href="(/policies/[0-9a-f-]{36})">Politique standard<', page)
    assert version is not None
    detail = await company.auditor.page(version[1])
    assert "deux personnes" in detail
    assert "2 e-mails sans réponse" in detail
    assert "1\u00a0000,00\u00a0€" in detail[detail.index("≥") :]


def typed(page: str) -> dict[str, list[str]]:
    """Everything that a form of the page would send as it stands, fields in their order."""
    form = page[page.index('<form class="stack"') :]
    found: dict[str, list[str]] = {}
    for name, select in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        option = re.search(r"<option([^>]*) selected>([^<]*)", select) or re.search(r"<option([^>]*)>([^<]*)", select)
        assert option is not None, name
        value = re.search(r'value="([^"]*)"', option[1])
        found.setdefault(name, []).append(unescape(value[1] if value else option[2]))
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = (re.search(rf'{what}="([^"]*)"', tag) for what in ("name", "value"))
        ticked = 'type="checkbox"' not in tag or " checked" in tag
        if name and value and ticked and name[1] not in ("csrf", "next"):
            found.setdefault(name[1], []).append(unescape(value[1]))
    return found


def row_of(fields: dict[str, list[str]], key: str) -> str:
    return next(name.partition(":")[2] for name, value in fields.items() if name.startswith("key:") and value == [key])


async def test_a_ladder_is_edited_on_its_page_checked_and_kept_as_the_next_draft(company: Company) -> None:
    listed = await company.manager.page("/policies")
    version = re.search(r'href="(/policies/[0-9a-f-]{36})">Politique standard<', listed)
    assert version is not None
    edit = f"{version[1]}/edit"
    fields = typed(await company.manager.page(edit))
    more = await company.manager.send(edit, fields | {"do": "add"}, at=edit)
    fields = typed(more.text)
    new = row_of(fields, next(value[0] for value in fields.values() if value[0].startswith("step_")))
    fields |= {f"key:{new}": ["nudge"], f"offset:{new}": ["6"], f"tone:{new}": ["2"], f"template:{new}": ["friendly"]}
    less = await company.manager.send(edit, fields | {"do": f"remove:{row_of(fields, 'visit')}"}, at=edit)
    fields = typed(less.text)
    keys = [value[0] for name, value in fields.items() if name.startswith("key:")]
    assert "visit" not in keys and keys.index("friendly") < keys.index("nudge") < keys.index("firm")
    checked = await company.manager.send(edit, fields | {"do": "check"}, at=edit)
    assert "Ce que" in checked.text or "findings-h" in checked.text
    saved = await company.manager.send(edit, fields | {"do": "save"}, at=edit)
    assert saved.status_code == 303, saved.text[saved.text.index("alert") :][:1_500]
    draft = await company.manager.page(saved.headers["location"])
    assert "brouillon" in draft and "nudge" in draft and "J+6" in draft and "visit" not in draft.split("versions-h")[0]
    assert "2 e-mails sans réponse" in draft, "conditions go over as they are"


async def opened(company: Company, name: str = "Politique standard") -> tuple[str, dict[str, list[str]]]:
    """The address of a policy's form, and everything in it."""
    version = re.search(rf'href="(/policies/[0-9a-f-]{{36}})">{name}<', await company.manager.page("/policies"))
    assert version is not None
    edit = f"{version[1]}/edit"
    return edit, typed(await company.manager.page(edit))


async def test_who_hears_a_step_on_which_conditions_and_when_is_changed_in_the_form(company: Company) -> None:
    edit, fields = await opened(company)
    row = row_of(fields, "firm")
    assert fields[f"audience:{row}"] == ["accounts_payable"] and f"cc:{row}" not in fields
    fields |= {
        f"audience:{row}": ["accounts_payable", "manager"], f"cc:{row}": ["sales_owner", "nobody"],
        f"delivered:{row}": ["1"], f"min_amount:{row}:EUR": ["1 250,50"], f"own:{row}": ["yes"],
        f"day:{row}": ["tue", "wed", "thu"], f"opens:{row}": ["10:00"], f"closes:{row}": ["12:00"],
        f"term:{row}": ["item.undisputed", "profile.name"], f"sign:{row}": [">=", "="],
        f"value:{row}": ["500,00 EUR", "slow, regular"], "day:all": ["mon", "tue", "wed", "thu", "fri"],
        "opens:all": ["08:30"],
    }  # fmt: skip
    saved = await company.manager.send(edit, fields | {"do": "save"}, at=edit)
    assert saved.status_code == 303, saved.text[saved.text.index("alert") :][:1_500]
    page = unescape(await company.manager.page(saved.headers["location"]))
    kept = yaml.safe_load(page[page.index("name: standard") : page.index("</textarea>")])
    step = next(each for each in kept["steps"] if each["key"] == "firm")
    assert (step["audience"], step["cc"]) == (["accounts_payable", "manager"], ["sales_owner"])
    assert step["conditions"]["delivered_notices"] == 1 and step["min_amount"] == {"EUR": "1250.50"}
    assert step["when"] == "item.undisputed >= 500.00 EUR and profile.name in ('slow', 'regular')"
    assert (step["window"]["days"], step["window"]["opens"]) == (["tue", "wed", "thu"], "10:00:00")
    assert kept["window"]["opens"] == "08:30:00"
    fields = typed(await company.manager.page(f"{saved.headers['location']}/edit"))
    assert fields[f"term:{row}"] == ["item.undisputed", "profile.name", ""]
    assert fields[f"value:{row}"][:2] == ["500.00 EUR", "slow, regular"]
    as_it_was = {name: value for name, value in fields.items() if not name.startswith(("own:", "term:", "cc:"))}
    bare = await company.manager.send(edit, as_it_was | {"do": "save"}, at=edit)
    page = unescape(await company.manager.page(bare.headers["location"]))
    assert "sales_owner\n    template" not in page and "when: item" not in page and "10:00" not in page


async def test_the_form_of_the_longest_ladder_stays_small(company: Company) -> None:
    edit, fields = await opened(company)
    for _ in range(40):
        fields = typed((await company.manager.send(edit, fields | {"do": "add"}, at=edit)).text)
    page = (await company.manager.send(edit, fields | {"do": "add"}, at=edit)).text
    assert page.count('<details class="more"') == 40
    assert len(gzip.compress(page.encode())) <= 25_000


async def test_what_the_linter_finds_stands_at_its_field(company: Company) -> None:
    edit, fields = await opened(company)
    row, final = row_of(fields, "firm"), row_of(fields, "final")
    wrong = {f"term:{row}": ["item.overdue"], f"sign:{row}": [">"], f"value:{row}": ["dix"]}
    page = (await company.manager.send(edit, fields | wrong | {"do": "check"}, at=edit)).text
    assert f'id="flaw-{row}-when"' in page and typed(page)[f"value:{row}"][0] == "dix"
    assert page.count("« dix » n’est pas un nombre de jours (jours depuis l") == 2 and "column 16" not in page
    assert f'href="#step-{row}"' in page and f'<tr id="step-{row}">' in page
    near = fields | {f"offset:{row}": ["3"], f"min_amount:{final}:EUR": ["200"], f"max_amount:{final}:EUR": ["100"]}
    page = (await company.manager.send(edit, near | {"do": "check"}, at=edit)).text
    crossed = page[page.index(f'id="flaw-{final}-min_amount"') :]
    assert "le minimum en EUR dépasse le maximum" in crossed[:300]
    assert re.search(rf'name="offset:{row}"[^>]*aria-invalid="true" aria-describedby="flaw-{row}-offset"', page)
    nobody = {name: value for name, value in fields.items() if name != f"audience:{row}"}
    page = (await company.manager.send(edit, nobody | {"do": "check"}, at=edit)).text
    assert f'id="flaw-{row}-audience"' in page


async def test_a_ladder_is_played_as_it_was_typed_beside_the_active_version(company: Company) -> None:
    edit, fields = await opened(company)
    page = (await company.manager.send(edit, fields | {"do": "play"}, at=edit)).text
    assert "et les 60 derniers jours" in page and page.count('class="tiles"') == 2
    assert "Étape par étape" in page and ">tel que saisi<" in page
    assert typed(page) == fields | {"key": typed(page)["key"]}
    wrong = fields | {f"term:{row_of(fields, 'firm')}": ["item.overdue"], f"value:{row_of(fields, 'firm')}": ["dix"]}
    refused = await company.manager.send(edit, wrong | {"do": "play"}, at=edit)
    assert refused.status_code == 422 and f'id="flaw-{row_of(fields, "firm")}-when"' in refused.text
    saved = await company.manager.send(edit, fields | {"do": "save"}, at=edit)
    draft = await company.manager.page(saved.headers["location"])
    beside = re.search(r'href="(/policies/[^"]+/simulate\?first=[^"]+against=[^"]+)"', draft)
    assert beside is not None
    assert (await company.manager.page(unescape(beside[1]))).count('class="tiles"') == 2


async def test_what_is_no_ladder_is_told_at_its_form_and_keeps_what_was_typed(company: Company) -> None:
    listed = await company.manager.page("/policies")
    version = re.search(r'href="(/policies/[0-9a-f-]{36})">Politique standard<', listed)
    assert version is not None
    edit = f"{version[1]}/edit"
    fields = typed(await company.manager.page(edit))
    twice = fields | {f"key:{row_of(fields, 'firm')}": ["friendly"]}
    refused = await company.manager.send(edit, twice | {"do": "save"}, at=edit)
    assert refused.status_code == 422
    assert "La politique ne peut pas être enregistrée" in refused.text
    assert 'role="alert"' in refused.text and typed(refused.text)["gap_days"] == fields["gap_days"]
    assert (await company.auditor.client.get(edit)).status_code == 403


async def test_a_draft_is_activated_by_another_person_and_chosen_for_an_entity(
    street: Street,  # noqa: F811
    company: Company,
) -> None:
    first = re.search(r'href="(/policies/[0-9a-f-]{36})"', await company.manager.page("/policies"))
    assert first is not None
    made = await company.manager.send("/policies", {"yaml": DRAFT}, at=first[1])
    assert made.status_code == 303, made.text[-2_000:]
    draft = made.headers["location"]
    assert "brouillon" in await company.manager.page(draft)
    refused = await company.manager.send(f"{draft}/activate", {}, at="/policies")
    assert refused.status_code == 409
    assert "Une autre personne que celle qui l’a demandé doit en décider" in refused.text
    assert (await company.administrator.send(f"{draft}/activate", {}, at="/policies")).status_code == 303
    page = await company.administrator.page("/policies")
    assert "douce v1 est active" in page
    chosen = await company.administrator.send(f"/policies/of/{company.entity}", {"policy": "douce"}, at="/policies")
    assert chosen.status_code == 303
    async with street.databases["console"].transaction() as db:
        assert (await directory.entity(db, company.tenant, company.entity)).policy == "douce"
    assert "suit la politique douce" in await company.administrator.page("/policies")


async def test_a_mistake_is_told_with_its_place_and_roles_are_kept(company: Company) -> None:
    wrong = DRAFT.replace("offset: 20", "offset: twenty")
    answer = await company.manager.send("/policies", {"yaml": wrong}, at="/policies")
    assert answer.status_code == 422
    assert "steps" in answer.text
    assert "La politique ne peut pas être enregistrée telle quelle" in answer.text
    assert "Corrigez ce champ" in answer.text and 'lang="en"' not in answer.text.partition("<main")[2]
    assert (await company.auditor.send("/policies", {"yaml": DRAFT}, at="/policies")).status_code == 403
    path = f"/policies/of/{company.entity}"
    assert (await company.manager.send(path, {"policy": "standard"}, at="/policies")).status_code == 403
    assert "Appliquer" not in await company.manager.page("/policies")
    unknown = await company.administrator.send(path, {"policy": "elsewhere"}, at="/policies")
    assert unknown.status_code == 422


async def test_a_text_is_previewed_in_a_frame_that_runs_nothing(company: Company) -> None:
    page = await company.manager.page("/templates/firm/fr")
    assert '<iframe class="letter" name="preview" sandbox=""' in page
    hostile = {"subject": "Bonjour", "body": "<script>alert(1)</script> [[lines]]"}
    answer = await company.manager.send("/templates/firm/fr/preview", hostile, at="/templates/firm/fr")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "<script>" not in answer.text
    wrong = await company.manager.send(
        "/templates/firm/fr/preview", {"subject": "x", "body": "{{ nobody }"}, at="/templates/firm/fr"
    )
    assert wrong.status_code == 200
    assert "ne peut pas être lu" in wrong.text


async def test_a_new_version_is_saved_with_its_author_and_a_reader_cannot(company: Company) -> None:
    at = "/templates/thanks/fr"
    text = {"subject": "Merci {{ debtor }}", "body": "Merci de votre règlement."}
    assert (await company.manager.send(at, text, at=at)).status_code == 303
    page = await company.manager.page(at)
    assert "Version 1 enregistrée" in page
    assert "Yanis Benali" in page
    assert "Merci [debtor]" in await company.auditor.page("/templates")
    assert (await company.auditor.send(at, text, at=at)).status_code == 403
    assert "readonly" in await company.auditor.page(at)


@pytest.mark.parametrize("path", ["/templates/nothing/fr", "/policies/00000000-0000-7000-8000-000000000000"])
async def test_what_is_not_there_is_said_to_be_not_there(company: Company, path: str) -> None:
    await company.auditor.page(path, 404)


@pytest.mark.parametrize("path", ["/templates/../../secret/fr", "/templates/firm/xx", "/policies/x"])
async def test_an_address_that_is_none_is_refused(company: Company, path: str) -> None:
    assert (await company.auditor.client.get(path)).status_code in (404, 422)


async def test_a_policy_is_looked_over_and_says_what_keeps_it_from_use(company: Company) -> None:
    close = DRAFT.replace("offset: 20", "offset: 6").replace("douce", "pressee")
    first = re.search(r'href="(/policies/[0-9a-f-]{36})"', await company.manager.page("/policies"))
    assert first is not None
    made = await company.manager.send("/policies", {"yaml": close}, at=first[1])
    draft = made.headers["location"]
    assert f'href="{draft}/check"' in await company.manager.page(draft)
    page = await company.auditor.page(f"{draft}/check")
    assert "pas encore utilisable" in page
    assert "gap_too_short" in page
    clean = re.search(r'href="(/policies/[0-9a-f-]{36})">Politique standard<', await company.auditor.page("/policies"))
    assert clean is not None
    assert ">utilisable<" in await company.auditor.page(f"{clean[1]}/check")
    await company.auditor.page("/policies/00000000-0000-7000-8000-000000000000/check", 404)


async def test_a_policy_is_simulated_beside_what_was_sent_or_another(company: Company) -> None:
    version = re.search(
        r'href="(/policies/[0-9a-f-]{36})">Politique standard<', await company.auditor.page("/policies")
    )
    assert version is not None
    at = f"{version[1]}/simulate"
    empty = await company.auditor.page(at)
    assert "Pas encore de simulation" in empty
    assert "data-sends" not in empty, "dates are chosen before the button is pressed"
    page = await company.auditor.page(f"{at}?first=2026-01-05&last=2026-01-30")
    assert "Personne ne serait contacté" in page
    other = re.search(r'<option value="([0-9a-f-]{36})">', page)
    assert other is not None
    beside = await company.auditor.page(f"{at}?first=2026-01-05&last=2026-01-30&against={other[1]}")
    assert beside.count('class="tiles"') == 2
    wrong = await company.auditor.page(f"{at}?first=2026-01-30&last=2026-01-05", 422)
    assert 'role="alert"' in wrong
    assert "Le dernier jour précède le premier" in wrong
    for first, last, why in (
        ("2026-01-05", "2099-01-05", "en partie passés, en partie à venir"),
        ("2020-01-05", "2026-01-05", "trop nombreux pour une simulation"),
        ("1990-01-05", "1990-02-05", "avant 2000"),
        ("2026-01-05", "2026-01-30&cursor=xyz", "n’existe plus"),
    ):
        told = (await company.auditor.page(f"{at}?first={first}&last={last}", 422)).partition("<main")[2]
        assert why in told and 'lang="en"' not in told
