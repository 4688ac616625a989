"""Traces: one W3C trace context from a request through the outbox and the topics to the last effect.

Only the OpenTelemetry API is used: with no SDK configured the context still travels, it is just sent nowhere.
"""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)


def parse(traceparent: str | None) -> SpanContext | None:
    """The span that a `traceparent` names; None when it is absent or malformed (RFC: then start afresh)."""
    found = _FORM.fullmatch(traceparent or "")
    if found is None:
        return None
    named = SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=TraceFlags(int(found[3], 16)))
    return named if named.is_valid else None


def fresh() -> SpanContext:
    """A new trace with no recording."""
    ids = random.SystemRandom()
    return SpanContext(ids.getrandbits(128) or 1, ids.getrandbits(64) or 1, is_remote=False)


def traceparent() -> str | None:
    """The present context as a header, for an event that is being recorded; None outside any trace."""
    now = trace.get_current_span().get_span_context()
    return f"00-{now.trace_id:032x}-{now.span_id:016x}-{now.trace_flags:02x}" if now.is_valid else None


def trace_id() -> str | None:
    """The present trace's id in 32 hexadecimal digits; None outside any trace."""
    now = trace.get_current_span().get_span_context()
    return f"{now.trace_id:032x}" if now.is_valid else None


@contextmanager
def within(header: str | None) -> Iterator[None]:
    """Continue the trace that a `traceparent` names, or begin one."""
    token = context.attach(trace.set_span_in_context(NonRecordingSpan(parse(header) or fresh())))
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def span(name: str, **facts: str | int | float | bool) -> Iterator[None]:
    """A span under the present one, recorded when an SDK is configured."""
    with trace.get_tracer("relance").start_as_current_span(name, attributes=facts):
        yield
