"""Logs: one JSON object a line on stderr, with the service, the tenant and the trace that it belongs to.

Names, addresses, amounts, bank details and secrets never get in: keys that hold them are masked whatever the level
below DEBUG, and whatever looks like one of them inside a text is masked always.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

MASK = "[masked]"
_SECRET = {
    "authorization",
    "cookie",
    "password",
    "secret",
    "secrets",
    "token",
    "signature",
    "api_key",
    "webhook_secret",
}
_PRIVATE = {"email", "emails", "recipient", "to", "phone", "name", "iban", "bic", "remittance", "body", "subject_line"}
_MONEY = {"amount", "amounts", "residual", "total", "balance"}
_LOOKS = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,253}"
    r"|\brk_(?:live|test)_[A-Za-z0-9_-]+"
    r"|\bwhsec_[A-Za-z0-9+/=_-]+"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+"
    r"|\b[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\b"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)


def masked(text: str) -> str:
    """The text without the e-mail addresses, IBANs, keys and passwords that it may hold."""
    return _LOOKS.sub(MASK, text)


def _clean(key: str, value: Any, hidden: set[str]) -> Any:
    if key.lower() in hidden:
        return MASK
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {str(name): _clean(str(name), inner, hidden) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner, hidden) for inner in value]
    return value if isinstance(value, int | float | bool | None) else masked(str(value))


def redact(logger: WrappedLogger, method: str, entry: EventDict) -> MutableMapping[str, Any]:
    """Mask by key and by pattern; amounts and names may show at DEBUG only, secrets never."""
    hidden = _SECRET if method == "debug" else _SECRET | _PRIVATE | _MONEY
    return {key: _clean(key, value, hidden) for key, value in entry.items()}


def _line(entry: Mapping[str, Any], **_: Any) -> str:
    return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(service: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers of this process through the same JSON lines."""
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _of(service),
        redact,
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *before],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_line),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "aiokafka", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _of(service: str) -> structlog.typing.Processor:
    def add(logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:
        entry["service"] = service
        return entry

    return add


def logger(name: str = "relance") -> Any:
    """A logger; say facts: `log.info("batch handled", events=12)`."""
    return structlog.get_logger(name)


@contextmanager
def about(**facts: Any) -> Iterator[None]:
    """Add facts (tenant, event_id, correlation_id, …) to every line logged inside."""
    with structlog.contextvars.bound_contextvars(**{name: str(fact) for name, fact in facts.items()}):
        yield
