"""The last look at what is about to leave. Pure; every refusal has a name.

Any IBAN-shaped string that a reader could see must be an approved account of ours, wherever it came from: a wrong one
is money sent to a thief. Recipients are typed addresses, headers a short list, control characters nowhere.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from email.message import Message
from functools import cache, lru_cache

from email_validator import EmailNotValidError, validate_email
from stdnum import numdb

from services.notifier.errors import GuardStopped, RecipientRefused

HEADERS = frozenset(
    {
        "auto-submitted", "cc", "content-language", "content-transfer-encoding", "content-type", "date", "from",
        "in-reply-to", "message-id", "mime-version", "references", "reply-to", "subject", "to",
        "x-auto-response-suppress", "x-relance-delivery",
    }
)  # fmt: skip
_HEAD = re.compile(r"[A-Za-z]{2}[0-9]{2}")
_BETWEEN = re.compile(r"[^A-Za-z0-9]+")
_FOREIGN = re.compile(r"(?![A-Za-z0-9])[^\W_]")
"""A letter or digit that no IBAN has: there a run ends."""
_PART = re.compile(r"([0-9]+)!([nac])")
_CLASS = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}
_LONGEST = 34
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb]")


@cache
def _shapes() -> dict[str, re.Pattern[str]]:
    """Country → what follows its two check digits, from the SWIFT registry that stdnum ships."""
    shapes = {}
    for first in (chr(a) + chr(b) for a in range(65, 91) for b in range(65, 91)):
        structure = numdb.get("iban").info(first)[0][1].get("bban")
        if structure:
            shapes[first] = re.compile("".join(f"{_CLASS[kind]}{{{size}}}" for size, kind in _PART.findall(structure)))
    return shapes


def _following(text: str, start: int) -> str:
    """The letters and digits from `start`, up to the longest IBAN, whatever separates them."""
    near = _FOREIGN.split(text[start : start + 4 * _LONGEST], maxsplit=1)[0]
    return _BETWEEN.sub("", near)[:_LONGEST].upper()


def ibans(text: str) -> Iterator[str]:
    """Every IBAN-shaped run in a text, spaced, dotted or broken over lines as it may be; check digits are not asked."""
    shapes = _shapes()
    squeezed = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    for head in _HEAD.finditer(squeezed):
        shape = shapes.get(head[0][:2].upper())
        if shape is None or (head.start() and squeezed[head.start() - 1].isalnum()):
            continue
        run = _following(squeezed, head.start())
        account = shape.match(run, 4)
        if account:
            yield run[: account.end()]


def foreign_ibans(texts: Sequence[str], approved: Collection[str]) -> list[str]:
    """IBAN-shaped strings in these texts that are not accounts of ours."""
    ours = {each.replace(" ", "").upper() for each in approved}
    return sorted({found for text in texts for found in ibans(text)} - ours)


def check_ibans(texts: Sequence[str], approved: Collection[str]) -> None:
    """Raises GuardStopped, naming the first strange account by its ends only."""
    strange = foreign_ibans(texts, approved)
    if strange:
        shown = f"{strange[0][:4]}…{strange[0][-3:]}"
        raise GuardStopped(f"The message shows an account that is not an approved one of ours ({shown}).", rule="iban")


@lru_cache(10_000)
def address(text: str, *, field: str = "email") -> str:
    """A typed address in ASCII and lower case: nobody has two mailboxes that differ by it. Raises RecipientRefused."""
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False, allow_quoted_local=False)
    except EmailNotValidError as error:
        raise RecipientRefused(f"Not an e-mail address: {error}", field=field) from None
    if found.ascii_email is None or len(found.ascii_email) > 254:
        raise RecipientRefused("Not an address that every mail server takes.", field=field)
    return f"{found.ascii_local_part}@{found.ascii_domain}".lower()


def domain(text: str) -> str:
    return text.rpartition("@")[2].lower()


def check_header_value(value: str, name: str) -> str:
    """A header value without control characters. Raises GuardStopped."""
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") for character in value):
        raise GuardStopped(f"Control characters in {name}.", rule="header")
    return value


def check_message(parsed: Message, recipient: str, copies: Collection[str] = ()) -> None:
    """The message as a receiver would parse it: known headers, each once, one recipient, and the copies that the
    step names. Raises GuardStopped."""
    names = [name.lower() for name in parsed.keys()]  # noqa: SIM118 - a Message is no mapping; keys repeat
    strange = sorted(set(names) - HEADERS)
    if strange or len(names) != len(set(names)):
        raise GuardStopped(f"Headers that we do not send: {', '.join(strange) or 'repeated'}.", rule="header")
    if str(parsed["To"]).strip() != recipient:
        raise GuardStopped("The recipient written is not the recipient approved.", rule="recipient")
    if {each.strip() for each in str(parsed["Cc"] or "").split(",")} - {""} != set(copies):
        raise GuardStopped("The copies written are not those of the step.", rule="recipient")
