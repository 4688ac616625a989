"""`make screenshots`: the pictures of the README, taken of the running demo by a headless Chromium.

Light and dark, French, 1,440 × 900, in 256 colours, the rare ones kept; a picture above 200 kB is refused, because
everybody who clones gets it.
"""

import asyncio
import io
import json
import sys
from pathlib import Path

from PIL import Image
from playwright.async_api import Page, async_playwright

from libs.common.settings import Settings
from tests.browser.conftest import CHROMIUM

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
MOST, COLOURS = 200_000, 256
PICTURES = {
    "today": "/",
    "customer": "",
    "aged-balance": "/aged-balance",
    "payments": "/payments?state=left",
    "dso": "/dso",
}


async def _customer(page: Page, url: str) -> str:
    """The file of the customer at the top of the morning's list."""
    await page.goto(url)
    return str(await page.locator("#pane-h a").get_attribute("href"))


async def _taken(page: Page, url: str, theme: str) -> None:
    paths = PICTURES | {"customer": await _customer(page, url)}
    for name, path in paths.items():
        await page.goto(url + path)
        await page.evaluate("() => document.fonts.ready")
        if await page.locator("iframe.letter").count():
            await page.frame_locator("iframe.letter").locator("p").first.wait_for()
        size = _kept(FOLDER / f"{name}-{theme}.png", await page.screenshot())
        sys.stderr.write(f"docs/pictures/{name}-{theme}.png {size // 1000} kB\n")


def _kept(path: Path, picture: bytes) -> int:
    """Write a picture with few colours; answers its size."""
    made = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as drawn:
        drawn.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            made, "png", optimize=True
        )
    if made.tell() > MOST:
        raise SystemExit(f"{path.name} has {made.tell():,} bytes; {MOST:,} are allowed.")
    path.write_bytes(made.getvalue())
    return made.tell()


async def main() -> None:
    """Sign in as the demo says and take every picture twice."""
    settings = Settings.from_env()
    try:
        known = json.loads((settings.state / "credentials.json").read_text())
    except FileNotFoundError:
        raise SystemExit("There is no demo in this folder: run `make demo` first.") from None
    if CHROMIUM is None:
        raise SystemExit("There is no Chromium on this machine: apt install chromium.")
    FOLDER.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for theme in ("light", "dark"):
            context = await browser.new_context(
                viewport={"width": 1440, "height": 900},
                color_scheme="dark" if theme == "dark" else "light",
                locale="fr-FR",
                reduced_motion="reduce",
            )
            page = await context.new_page()
            await page.goto(f"{settings.public_url}/login")
            await page.fill("input[name=email]", known["login"])
            await page.fill("input[name=password]", known["password"])
            await page.click("button.first")
            await page.wait_for_selector("main#main")
            await _taken(page, settings.public_url, theme)
            await context.close()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
