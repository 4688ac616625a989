"""Texts from Liquid templates: a subject and paragraphs, drawn once as plain text and once as HTML.

Tenants write words, never HTML: the layout is ours, and every value is escaped where it enters it. Loops, memory and
output are bounded, filters and tags are a short list (python-liquid's `replace` and `join` multiply sizes in one
step), and a word that does not exist is refused when the template is saved, not when the notice is due.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liquid import BoundTemplate, DictLoader, Environment, StrictUndefined
from liquid.exceptions import LiquidError

from services.notifier import contents, wording
from services.notifier.contents import Facts
from services.notifier.errors import TemplateRefused
from services.notifier.labels import LABELS
from services.notifier.wording import Language

KEYS = (
    "courtesy",
    "statement",
    "friendly",
    "firm",
    "final",
    "formal",
    "thanks",
    "internal",
    "hand_over",
    "call",
    "visit",
)
BLOCKS = ("lines", "payment", "history", "settled", "signature")
FILTERS = {"capitalize", "default", "downcase", "first", "last", "minus", "newline_to_br", "plus", "size", "strip"}
TAGS = {"#", "assign", "break", "case", "comment", "content", "continue", "for", "if", "illegal", "output", "unless"}
SOURCE_LIMIT = 20_000
SUBJECT_LIMIT = 200
_HERE = Path(__file__).parent / "templates"
_BLOCK = re.compile(r"\[\[([a-z]+)\]\]")
_BLANK = re.compile(r"\n[ \t]*\n+")
_GAPS = re.compile(r"\s+")


class _Bounded(Environment):
    loop_iteration_limit = 2_000
    local_namespace_limit = 20_000
    output_stream_limit = 200_000
    block_nesting_limit = 10
    context_depth_limit = 20


def environment(*, autoescape: bool) -> Environment:
    """A Liquid environment that knows our tags and filters only."""
    made = _Bounded(loader=DictLoader({}), undefined=StrictUndefined, strict_filters=True, autoescape=autoescape)
    made.filters = {name: each for name, each in made.filters.items() if name in FILTERS}
    for name in set(made.tags) - TAGS:
        del made.tags[name]
    return made


@dataclass(frozen=True, slots=True)
class Source:
    """A template as written: Liquid in the subject, Liquid paragraphs and [[blocks]] in the body."""

    key: str
    language: Language
    subject: str
    body: str
    version: int = 0

    @classmethod
    def parse(cls, key: str, language: Language, text: str) -> "Source":
        """From a file: the subject, a line of dashes, the body."""
        subject, _, body = text.partition("\n---\n")
        return cls(key, language, subject.strip(), body.strip())


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a notice says. `subject` is one line; `text` and `html` say the same."""

    subject: str
    text: str
    html: str


class Renderer:
    """Our own texts and layout, read once, and the templates already parsed."""

    def __init__(self) -> None:
        self.words = environment(autoescape=False)
        layout = environment(autoescape=True)
        self.layout = layout.from_string((_HERE / "layout.html.liquid").read_text("utf-8"))
        self.own = {
            (key, language): Source.parse(key, language, (_HERE / language / f"{key}.liquid").read_text("utf-8"))
            for key in KEYS
            for language in wording.LOCALES
        }
        self._parsed: dict[tuple[str, str], tuple[BoundTemplate, BoundTemplate]] = {}

    def render(self, source: Source, facts: Facts, note: str = "") -> Rendered:
        """Subject, text and HTML. `note` is a person's own words, put in place of the opening paragraphs.

        Raises TemplateRefused when the template fails on these facts.
        """
        words = contents.variables(facts)
        try:
            subject_template, body_template = self._templates(source)
            subject = _GAPS.sub(" ", subject_template.render(words)).strip()
            body = body_template.render(words)
        except LiquidError as error:
            raise TemplateRefused(f"The template {source.key!r} fails: {error}.", field="body") from error
        subject = wording.spaced(subject, facts.language)[:SUBJECT_LIMIT]
        blocks = list(_blocks(_with_note(body, note), facts))
        return Rendered(subject, _as_text(blocks, facts), self._as_html(subject, blocks, facts))

    def check(self, source: Source, sample: Facts) -> Rendered:
        """Whether this text can be saved; renders it on sample facts. Raises TemplateRefused with the reason."""
        if len(source.subject) + len(source.body) > SOURCE_LIMIT:
            raise TemplateRefused(f"A template has at most {SOURCE_LIMIT} characters.", field="body")
        unknown = sorted({name for name in _BLOCK.findall(source.body) if name not in BLOCKS})
        if unknown:
            raise TemplateRefused(f"Unknown block: {', '.join(unknown)}.", field="body")
        try:
            used = {name for part in self._templates(source) for name in part.analyze().globals}
        except LiquidError as error:
            raise TemplateRefused(f"The template does not parse: {error}.", field="body") from error
        strange = sorted(used - set(contents.variables(sample)))
        if strange:
            raise TemplateRefused(f"Unknown word: {', '.join(strange)}.", field="body")
        return self.render(source, sample)

    def _templates(self, source: Source) -> tuple[BoundTemplate, BoundTemplate]:
        known = self._parsed.get((source.subject, source.body))
        if known is None:
            if len(self._parsed) > 500:
                self._parsed.clear()
            known = self.words.from_string(source.subject), self.words.from_string(source.body)
            self._parsed[source.subject, source.body] = known
        return known

    def _as_html(self, subject: str, blocks: list[dict[str, Any]], facts: Facts) -> str:
        label = LABELS[facts.language]
        titles = [
            {"text": label[name], "align": align}
            for name, align in zip(_COLUMNS, ("left", "left", "left", "right", "right", "right"), strict=True)
        ]
        return self.layout.render(
            language=facts.language,
            subject=subject,
            creditor=wording.one_line(facts.creditor.name),
            blocks=blocks,
            titles=titles,
            words=label,
        )


_COLUMNS = ("number", "issued", "due", "amount", "residual", "late")


def _with_note(body: str, note: str) -> str:
    """A person's own words go before the first block, after the greeting; nothing in them is Liquid or a block."""
    if not note:
        return body
    paragraphs = _BLANK.split(body.strip())
    first = next((i for i, each in enumerate(paragraphs) if _BLOCK.fullmatch(each.strip())), len(paragraphs))
    clean = [wording.one_line(each).replace("[[", "[ [") for each in _BLANK.split(note.strip())]
    return "\n\n".join([*paragraphs[: min(1, first)], *clean, *paragraphs[first:]])


def _blocks(body: str, facts: Facts) -> Iterator[dict[str, Any]]:
    for paragraph in _BLANK.split(body.strip()):
        text = "\n".join(line.strip() for line in paragraph.strip().splitlines())
        block = _BLOCK.fullmatch(text)
        if block is not None:
            yield from _block(block[1], facts)
        elif text:
            yield {"kind": "text", "text": wording.spaced(text, facts.language)}


def _block(name: str, facts: Facts) -> Iterator[dict[str, Any]]:
    label = LABELS[facts.language]
    if name in ("lines", "settled"):
        hidden = len(facts.rows) - contents.SHOWN
        more = label["more"].format(count=len(facts.rows), shown=contents.SHOWN) if hidden > 0 else ""
        yield {"kind": name, "more": more, **contents.table(facts)}
    elif name == "payment" and facts.accounts:
        yield {"kind": "payment", "accounts": [{"pairs": _pairs(each, label)} for each in contents.payment(facts)]}
    elif name == "history" and facts.earlier:
        yield {"kind": "history", "dates": [wording.day(each, facts.language) for each in facts.earlier]}
    elif name == "signature":
        creditor = facts.creditor
        parts = [creditor.sender_name, creditor.name, creditor.phone, creditor.reply_to]
        yield {"kind": "signature", "parts": [wording.one_line(part) for part in dict.fromkeys(parts) if part]}


def _pairs(account: Mapping[str, str], label: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"name": label[name], "value": account[name]}
        for name in ("holder", "iban", "bic", "reference")
        if account[name]
    ]


def _as_text(blocks: list[dict[str, Any]], facts: Facts) -> str:
    label = LABELS[facts.language]
    return "\n\n".join(_text_block(block, label) for block in blocks) + "\n"


def _text_block(block: dict[str, Any], label: Mapping[str, str]) -> str:
    match block["kind"]:
        case "lines":
            rows = [
                f"- {row['number']} · " + " · ".join(f"{label[name]} {row[name]}" for name in _COLUMNS[1:])
                for row in block["rows"]
            ]
            sums = [f"{each['name']} {each['total']}" for each in block["totals"]]
            return "\n".join(rows + sums + [block["more"]] * bool(block["more"]))
        case "settled":
            return "\n".join(f"- {row['number']} ({row['issued']}) – {row['amount']}" for row in block["rows"])
        case "payment":
            return "\n\n".join(
                "\n".join(f"{pair['name']} {pair['value']}" for pair in each["pairs"]) for each in block["accounts"]
            )
        case "history":
            return "\n".join([label["history"], *(f"- {each}" for each in block["dates"])])
        case "signature":
            return "\n".join(block["parts"])
        case _:
            return str(block["text"])


def plain(markup: str) -> str:
    """The words of our own HTML without its tags, for guards that look at what a reader sees."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))
