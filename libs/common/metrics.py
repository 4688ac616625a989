"""The one catalogue of metrics: `relance_<noun>_<unit>`. Every name a dashboard or an alert may use stands here.

They are module constants because Prometheus keeps one registry a process; labels never hold a tenant or an id.
"""

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STOPS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 3.5, 4, 10)
_LATE = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600, 86400)

# Doors
REQUEST_SECONDS = Histogram(
    "relance_request_seconds", "HTTP requests by route template", ["method", "route", "status"], buckets=_SECONDS
)
REQUESTS_REFUSED = Counter("relance_requests_refused_total", "Refused requests by problem code", ["code"])
WEBHOOKS = Counter("relance_webhooks_total", "Signed webhooks by outcome", ["purpose", "outcome"])
PEER_SECONDS = Histogram("relance_peer_call_seconds", "Calls to other services", ["peer", "outcome"], buckets=_SECONDS)

# The bus
EVENTS_RECORDED = Counter("relance_events_recorded_total", "Events recorded in the outbox", ["type"])
EVENTS_PUBLISHED = Counter("relance_events_published_total", "Events acknowledged by the broker", ["topic"])
EVENTS_HANDLED = Counter("relance_events_handled_total", "Events handled", ["type", "outcome"])
EVENT_AGE_SECONDS = Histogram(
    "relance_event_age_seconds", "From recording to the handler's commit", ["type"], buckets=_LATE
)
BATCH_SECONDS = Histogram("relance_batch_seconds", "One consumer transaction", ["consumer"], buckets=_SECONDS)
BATCH_RETRIES = Counter("relance_batch_retries_total", "Consumer batches tried again", ["consumer", "reason"])
OUTBOX_ROWS = Gauge("relance_outbox_rows", "Events waiting for the broker")
OUTBOX_OLDEST_SECONDS = Gauge("relance_outbox_oldest_seconds", "Age of the oldest event waiting for the broker")
CONSUMER_LAG_RECORDS = Gauge("relance_consumer_lag_records", "End offset minus committed", ["topic", "partition"])
DEAD_LETTERS_OPEN = Gauge("relance_dead_letters_open", "Dead letters nobody has dealt with")
PARKED_OPEN = Gauge("relance_parked_open", "Events waiting behind a dead letter of their key")
BREAKER_OPEN = Gauge("relance_breaker_open", "1 while the consumer is stopped by its breaker", ["consumer"])
PARTITION_STOPPED = Gauge(
    "relance_partition_stopped",
    "1 while a partition waits for a release that knows its next event",
    ["topic", "partition"],
)
UNKNOWN_EVENTS = Counter("relance_unknown_events_total", "Records of a type this release does not know", ["topic"])

# The runtime
LOOP_INTERRUPTIONS = Counter(
    "relance_loop_interruptions_total", "Turns that a passing fault cut short, to be taken again", ["loop"]
)
LOOP_AGE_SECONDS = Gauge("relance_loop_age_seconds", "Since the loop's last turn", ["loop"])

# Intake
INVOICES_TAKEN = Counter("relance_invoices_taken_total", "Invoices that were told, by result", ["result"])
QUARANTINED_OPEN = Gauge("relance_quarantined_open", "Documents waiting for a person")

# Scheduling
SWEEP_SECONDS = Histogram("relance_sweep_seconds", "One sweep transaction", buckets=_SECONDS)
ITEMS_SWEPT = Counter("relance_items_swept_total", "Items looked at by the sweep", ["outcome"])
CASES_SET_ASIDE = Counter("relance_cases_set_aside_total", "Cases that could not be decided, put off for an hour")
REVIEWS_FAILED = Counter(
    "relance_reviews_failed_total",
    "Promises, plans, disputes, holds, deadlines and recovery files that could not be judged",
)
REMINDERS_RELEASED = Counter("relance_reminders_released_total", "Reminders released", ["tone"])
REMINDER_LATE_SECONDS = Histogram("relance_reminder_late_seconds", "From the due moment to the release", buckets=_LATE)
DOUBLE_REMINDERS = Gauge("relance_double_reminders", "Steps that were said twice, counted from the facts; must be 0")
DAY_STEPS = Gauge("relance_day_steps", "What was due yesterday, by where it stands", ["standing"])
DEADLINE_ALARMS = Counter(
    "relance_deadline_alarms_total", "Alarms raised of declarations to insurers and claims in insolvency", ["kind"]
)

# Notifying
DELIVERIES = Counter("relance_deliveries_total", "Deliveries by channel and end", ["channel", "outcome"])
SMTP_SECONDS = Histogram("relance_smtp_seconds", "One mail, connect to final answer", buckets=_LATE)
NOTICES_WAITING = Gauge("relance_notices_waiting", "Notices waiting for approval")
NOTICES_SET_ASIDE = Counter(
    "relance_notices_set_aside_total", "Notices that could not be written or sent, put off for an hour"
)
DELIVERIES_UNCERTAIN = Gauge("relance_deliveries_uncertain", "Deliveries whose end is not known")

# The permit
PERMITS = Counter("relance_permits_total", "Permits by answer", ["answer", "reason"])
PERMIT_SECONDS = Histogram("relance_permit_seconds", "Asking for a permit", buckets=_SECONDS)
STOP_WAIT_SECONDS = Histogram("relance_stop_wait_seconds", "Stopping commands waiting for leases", buckets=_STOPS)
SENDS_PAST_PERMIT = Counter("relance_sends_past_permit", "Sends that began after their lease had ended; must be 0")

# Matching
PAYMENTS_TAKEN = Counter("relance_payments_taken_total", "Payments by door", ["door"])
PAYMENTS_MATCHED = Counter("relance_payments_matched_total", "Allocations by who decided", ["by"])
PAYMENTS_SET_ASIDE = Counter("relance_payments_set_aside_total", "Payments that could not be tried, left to a person")
PAYMENTS_UNMATCHED_OPEN = Gauge("relance_payments_unmatched_open", "Payments with unapplied money")
FEED_AGE_SECONDS = Gauge("relance_feed_age_seconds", "Age of the oldest required bank feed")
STATEMENTS = Counter("relance_statements_total", "Bank files by format and result", ["format", "result"])


def exposition() -> bytes:
    """What `/metrics` answers, in the Prometheus text format."""
    return generate_latest(REGISTRY)
