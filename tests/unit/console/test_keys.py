"""Keys: each page has one of its own, and every key that the list tells presses a button that is there."""

import re
from itertools import chain

from services.console.pages.keys import ACTS
from services.console.pages.shell import NAVIGATION
from services.console.pages.web import HERE

GENERAL = {"/", "?", "j", "k", "z", "Esc", "↵"}


def test_every_page_of_the_navigation_has_a_key_of_its_own() -> None:
    keys = [page.key for _, pages in NAVIGATION for page in pages]
    assert all(re.fullmatch("[a-z]", key) for key in keys)
    assert len(set(keys)) == len(keys)


def test_every_key_that_is_listed_presses_a_button_with_its_text() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (HERE / "templates").glob("*.html"))
    drawn = set(re.findall(r'data-key="([a-z])"', sources)) | set(re.findall(r"key='([a-z])'", sources))
    listed = {key for _, acts in ACTS for key, _ in acts}
    assert listed - GENERAL <= drawn
    assert drawn <= listed
    for _, text in chain.from_iterable(acts for _, acts in ACTS[1:]):
        assert f"'{text}'" in sources, text
