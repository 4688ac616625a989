"""Signing in and out: the session, its cookie, its ends, and what an attacker may try."""

from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, text, update

from libs.common.ids import uuid7
from services.console.people.sessions import FAILURES
from services.console.tables import app_user, session
from tests.integration.console.conftest import PASSWORD, Console, csrf, submit


def cookie(console: Console) -> str:
    name: str = console.app.http.state.web.cookies.session
    return name


async def test_a_person_signs_in_sees_the_work_and_signs_out(console: Console) -> None:
    _, email = await console.tenant("Groupe Kerdoncuff")
    browser = await console.sign_in(email)
    page = await browser.get("/operations")
    assert page.status_code == 200
    assert "Groupe Kerdoncuff" in page.text
    assert "Claire Dumont" in page.text
    token = browser.cookies[cookie(console)]
    out = await submit(browser, "/logout", {}, at="/operations")
    assert out.headers["location"] == "/login"
    browser.cookies.set(cookie(console), token, domain="localhost.local")
    again = await browser.get("/operations")
    assert again.status_code == 303, "a session that ended must not open a page"
    await browser.aclose()


async def test_who_is_not_signed_in_is_led_to_the_sign_in_page_and_back(console: Console) -> None:
    _, email = await console.tenant()
    async with console.client() as browser:
        led = await browser.get("/operations?day=2026-11-23")
        assert led.status_code == 303
        assert led.headers["location"] == "/login?next=%2Foperations%3Fday%3D2026-11-23"
        done = await submit(
            browser,
            "/login",
            {"email": email, "password": PASSWORD, "next": "/operations?day=2026-11-23"},
            at=led.headers["location"],
        )
        assert done.headers["location"] == "/operations?day=2026-11-23"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "/%5cevil.example\\",
        "javascript:alert(1)",
        "/\tevil",
        "\\\\evil.example",
        "evil.example",
        "/ /evil.example",
    ],
)
async def test_signing_in_never_leads_to_another_host(console: Console, elsewhere: str) -> None:
    _, email = await console.tenant()
    async with console.client() as browser:
        done = await submit(browser, "/login", {"email": email, "password": PASSWORD, "next": elsewhere})
        assert done.headers["location"] == "/"


async def test_a_token_that_was_there_before_signing_in_is_worth_nothing_after_it(console: Console) -> None:
    _, email = await console.tenant()
    async with console.client() as browser:
        browser.cookies.set(cookie(console), "fixed-by-an-attacker", domain="localhost.local")
        await submit(browser, "/login", {"email": email, "password": PASSWORD})
        assert browser.cookies[cookie(console)] != "fixed-by-an-attacker"
    async with console.client() as attacker:
        attacker.cookies.set(cookie(console), "fixed-by-an-attacker")
        assert (await attacker.get("/operations")).status_code == 303


async def test_every_sign_in_makes_a_new_session(console: Console) -> None:
    _, email = await console.tenant()
    first, second = await console.sign_in(email), await console.sign_in(email)
    assert first.cookies[cookie(console)] != second.cookies[cookie(console)]
    await first.aclose()
    await second.aclose()


async def test_only_a_digest_of_the_token_is_kept(console: Console) -> None:
    tenant, email = await console.tenant()
    browser = await console.sign_in(email)
    async with console.room.database.transaction(tenant) as db:
        kept = (await db.execute(text("select token_sha256 from session"))).scalars().all()
    assert browser.cookies[cookie(console)] not in kept
    await browser.aclose()


def answers(pages: list[httpx.Response]) -> Iterator[tuple[int, str]]:
    for page in pages:
        shown = page.text.replace(csrf(page), "")
        yield page.status_code, shown


async def test_every_failure_to_sign_in_answers_alike(console: Console) -> None:
    tenant, email = await console.tenant()
    closed = await console.user(tenant, "collector")
    async with console.room.database.transaction(tenant) as db:
        await db.execute(update(app_user).where(app_user.c.email == closed).values(active=False))
    pages = []
    for shown in (email, closed, "nobody@armorea.example"):
        async with console.client() as browser:
            page = await submit(browser, "/login", {"email": shown, "password": "wrong wrong wrong"})
            page._content = page.content.replace(shown.encode(), b"")
            pages.append(page)
    assert len(set(answers(pages))) == 1
    assert pages[0].status_code == 403


async def test_ten_failures_lock_the_account_and_time_opens_it_again(console: Console) -> None:
    tenant, email = await console.tenant()
    async with console.client() as browser:
        for _ in range(FAILURES):
            await submit(browser, "/login", {"email": email, "password": "wrong wrong wrong"})
        locked = await submit(browser, "/login", {"email": email, "password": PASSWORD})
        assert locked.status_code == 403, "the right password must not open a locked account"
        async with console.room.database.transaction(tenant) as db:
            await db.execute(update(app_user).values(locked_until=func.now()))
        opened = await submit(browser, "/login", {"email": email, "password": PASSWORD})
        assert opened.status_code == 303


@pytest.mark.parametrize(("column", "age"), [("seen_at", "31 minutes"), ("began_at", "12 hours 1 minute")])
async def test_a_session_ends_when_idle_and_in_any_case_after_twelve_hours(
    console: Console, column: str, age: str
) -> None:
    tenant, email = await console.tenant()
    browser = await console.sign_in(email)
    assert (await browser.get("/operations")).status_code == 200
    async with console.room.database.transaction(tenant) as db:
        await db.execute(update(session).values({column: func.now() - text(f"interval '{age}'")}))
    assert (await browser.get("/operations")).status_code == 303
    await browser.aclose()


async def test_a_person_whose_roles_change_must_sign_in_again(console: Console) -> None:
    tenant, _ = await console.tenant()
    email = await console.user(tenant, "collector")
    browser = await console.sign_in(email)
    listed = (await console.call("GET", "/users", tenant)).json()
    user = next(each["user_id"] for each in listed if each["email"] == email)
    await console.call("PATCH", f"/users/{user}", tenant, {"roles": ["auditor"]})
    assert (await browser.get("/operations")).status_code == 303
    await browser.aclose()


async def test_the_cookie_is_kept_from_scripts_and_other_sites(console: Console) -> None:
    _, email = await console.tenant()
    async with console.client() as browser:
        done = await submit(browser, "/login", {"email": email, "password": PASSWORD})
        mine = next(c for c in done.headers.get_list("set-cookie") if c.startswith(cookie(console) + "="))
    assert "HttpOnly" in mine
    assert "SameSite=lax" in mine
    assert "Path=/" in mine
    assert "Max-Age" not in mine


async def test_pages_allow_no_script_or_style_of_others_and_no_frame(console: Console) -> None:
    async with console.client() as browser:
        page = await browser.get("/login")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"
    assert " style=" not in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://evil.localhost"},
    ],
)
async def test_a_form_from_elsewhere_is_refused(console: Console, headers: dict[str, str]) -> None:
    _, email = await console.tenant()
    browser = await console.sign_in(email)
    token = csrf(await browser.get("/operations"))
    refused = await browser.post("/logout", data={"csrf": token}, headers=headers)
    assert refused.status_code == 403
    assert (await browser.get("/operations")).status_code == 200
    await browser.aclose()


@pytest.mark.parametrize("token", ["", "wrong", "é"])
async def test_a_form_without_its_token_is_refused(console: Console, token: str) -> None:
    _, email = await console.tenant()
    browser = await console.sign_in(email)
    origin = {"origin": console.settings.public_url}
    refused = await browser.post("/logout", data={"csrf": token}, headers=origin)
    assert refused.status_code == 403
    await browser.aclose()


async def test_the_sign_in_form_needs_its_own_visitors_token(console: Console) -> None:
    _, email = await console.tenant()
    async with console.client() as one, console.client() as other:
        token = csrf(await one.get("/login"))
        await other.get("/login")
        fields = {"csrf": token, "email": email, "password": PASSWORD}
        refused = await other.post("/login", data=fields, headers={"origin": console.settings.public_url})
        assert refused.status_code == 403
        assert cookie(console) not in other.cookies


async def test_a_page_that_does_not_exist_says_so_in_the_readers_language(console: Console) -> None:
    async with console.client() as browser:
        page = await browser.get("/nowhere", headers={"accept": "text/html", "accept-language": "en-GB,fr;q=0.5"})
        program = await browser.get("/v1/nowhere", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert "There is no such page" in page.text
    assert program.headers["content-type"] == "application/problem+json"


async def test_a_name_with_markup_is_shown_as_text(console: Console) -> None:
    _, email = await console.tenant('<script>alert("x")</script>')
    browser = await console.sign_in(email)
    page = await browser.get("/operations")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text
    await browser.aclose()


async def test_a_person_chooses_language_and_theme(console: Console) -> None:
    _, email = await console.tenant()
    browser = await console.sign_in(email)
    await submit(browser, "/preferences", {"language": "en", "next": "/operations"}, at="/operations")
    await submit(browser, "/preferences", {"theme": "dark", "next": "/operations"}, at="/operations")
    page = await browser.get("/operations")
    assert '<html lang="en" data-theme="dark">' in page.text
    assert "Invoices taken" in page.text
    await browser.aclose()


async def test_an_unknown_tenants_session_cannot_be_guessed(console: Console) -> None:
    async with console.client() as browser:
        browser.cookies.set(cookie(console), str(UUID(int=0)) + uuid7().hex)
        assert (await browser.get("/operations")).status_code == 303
