"""The tables of the read model. Rows know the versions that wrote them, so events may come in any order.

Money is minor units with the row's currency. Nothing here is filled by the database's clock or a sequence: a rebuild
of the same topics ends in the same rows.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB

from services.console.projections import kept

INSTANT = DateTime(timezone=True)


def _id(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, Uuid, nullable=nullable)


def _text(name: str) -> Column[Any]:
    return Column(name, Text, nullable=True)


def _minor(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=True)


def _currency() -> Column[Any]:
    return Column("currency", String(3), nullable=True)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=sql("false"))


def _version(name: str = "version") -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=sql("-1"))


class ReadModel:
    """One set of tables. A rebuild fills a second set under another prefix and takes the place of the first."""

    def __init__(self, metadata: MetaData, prefix: str = "") -> None:
        self.metadata = metadata
        self.prefix = prefix
        self._people()
        self._ledger()
        self._money()
        self._notices()
        self._silence()
        self._work()
        self.mark, self.owing = kept.mark(prefix, metadata), kept.owing(prefix, metadata)
        self.account, self.sale = kept.account(prefix, metadata), kept.sale(prefix, metadata)
        self.closing, self.coming, self.habit = (make(prefix, metadata) for make in kept.BY_DAY)

    def _table(self, name: str, identity: str, *columns: Column[Any]) -> Table:
        keys = (Column("tenant_id", Uuid, primary_key=True), Column(identity, Uuid, primary_key=True))
        return Table(self.prefix + name, self.metadata, *keys, *columns)

    def _index(self, table: Table, what: str, *columns: Any, **how: Any) -> None:
        Index(f"{table.name}_{what}", *(table.c[c] if isinstance(c, str) else c for c in columns), **how)

    def _people(self) -> None:
        self.debtor = self._table(
            "debtor",
            "debtor_id",
            _version(),
            _id("entity_id"),
            _text("external_id"),
            _text("name"),
            _id("party_id"),
            _id("payer_id"),
            _id("group_id"),
            _text("siren"),
            _text("vat_number"),
            _text("country"),
            _text("language"),
            _text("profile"),
            _text("collector"),
            _text("sales_owner"),
            _text("phone"),
            Column("contacts", JSONB, nullable=True),
            _flag("consumer"),
            _flag("intercompany"),
            _flag("erased"),
        )
        self._index(self.debtor, "payer", "tenant_id", "payer_id")
        self._index(self.debtor, "collector", "tenant_id", "collector")

    def _ledger(self) -> None:
        self.invoice = self._table(
            "invoice",
            "invoice_id",
            _version(),
            _id("entity_id"),
            _id("debtor_id"),
            _id("payer_id"),
            _text("number"),
            Column("number_key", Text(collation="C"), Computed("lower(number)", persisted=True)),
            Column("issue_date", Date),
            _currency(),
            _minor("payable"),
            _text("due_source"),
            _text("payment_means"),
            _text("payment_reference"),
            _text("order_number"),
            _id("document_id"),
            Column("not_chased", JSONB, nullable=True),
            _flag("take_over"),
            _flag("cancelled"),
            Column("told_at", INSTANT),
            Column("changed_at", INSTANT),
        )
        self._index(self.invoice, "debtor", "tenant_id", "debtor_id", "issue_date")
        self._index(self.invoice, "number", "tenant_id", "number_key")
        self._index(self.invoice, "issued", "tenant_id", "issue_date")
        self._index(self.invoice, "changed", "tenant_id", "changed_at")
        self._index(self.invoice, "amount", "tenant_id", "payable")
        self._items()
        self._past()

    def _items(self) -> None:
        self.item = self._table(
            "item",
            "item_id",
            _version("told_version"),
            _version("item_version"),
            _id("invoice_id"),
            _id("entity_id"),
            _id("debtor_id"),
            _id("payer_id"),
            Column("sequence", Integer),
            Column("issue_date", Date),
            Column("due_date", Date),
            _currency(),
            _minor("amount"),
            _minor("residual"),
            _flag("gone"),
            Column("told_at", INSTANT),
            Column("moved_at", INSTANT),
        )
        open_now = sql("not gone and coalesce(residual, amount) <> 0")
        self._index(self.item, "open", "tenant_id", "due_date", "item_id", postgresql_where=open_now)
        self._index(self.item, "of_debtor", "tenant_id", "debtor_id", postgresql_where=open_now)
        self._index(self.item, "of_payer", "tenant_id", "payer_id", postgresql_where=open_now)
        self._index(self.item, "of_invoice", "tenant_id", "invoice_id")
        self._index(self.item, "amount", "tenant_id", "amount", postgresql_where=open_now)
        self._index(self.item, "rest", "tenant_id", "residual", postgresql_where=sql("residual <> 0"))
        self._index(self.item, "moved", "tenant_id", "moved_at", postgresql_where=sql("not gone"))

    def _past(self) -> None:
        """Every move of a residual and every version of an invoice, for the days that they stood."""
        self.move = Table(
            self.prefix + "move",
            self.metadata,
            Column("tenant_id", Uuid, primary_key=True),
            Column("item_id", Uuid, primary_key=True),
            Column("item_version", BigInteger, primary_key=True),
            Column("on", Date, nullable=False),
            Column("residual", BigInteger, nullable=False),
            Column("at", INSTANT, nullable=False),
        )
        self.telling = Table(
            self.prefix + "telling",
            self.metadata,
            Column("tenant_id", Uuid, primary_key=True),
            Column("invoice_id", Uuid, primary_key=True),
            Column("version", BigInteger, primary_key=True),
            Column("at", INSTANT, nullable=False),
            _id("entity_id"),
            _id("debtor_id"),
            Column("issue_date", Date),
            _currency(),
            _minor("payable"),
            Column("items", JSONB, nullable=False),
        )

    def _money(self) -> None:
        self.payment = self._table(
            "payment",
            "payment_id",
            _version(),
            _id("entity_id"),
            _id("payer_id"),
            _currency(),
            _minor("amount"),
            _minor("unapplied"),
            Column("value_date", Date),
            _text("state"),
            _text("how"),
            Column("told_at", INSTANT),
        )
        left = sql("unapplied <> 0 and state <> 'reversed'")
        self._index(self.payment, "left", "tenant_id", "value_date", postgresql_where=left)
        self._index(self.payment, "of_payer", "tenant_id", "payer_id", "value_date")
        self._index(self.payment, "by_day", "tenant_id", "value_date")
        self._index(self.payment, "amount", "tenant_id", "amount")
        self.credit = self._table(
            "credit",
            "credit_note_id",
            _version("told_version"),
            _version("applied_version"),
            _id("entity_id"),
            _id("debtor_id"),
            _id("payer_id"),
            _text("number"),
            Column("issue_date", Date),
            _currency(),
            _minor("amount"),
            _minor("unapplied"),
        )
        self._index(self.credit, "of_debtor", "tenant_id", "debtor_id")
        self.feed = self._table(
            "feed",
            "bank_account_id",
            _version(),
            _id("entity_id"),
            Column("covered_to", Date),
            _flag("required"),
            _flag("unreadable"),
        )

    def _notices(self) -> None:
        self.reminder = self._table(
            "reminder",
            "reminder_id",
            _version(),
            _id("entity_id"),
            _id("case_id"),
            _id("payer_id"),
            _id("party_id"),
            _text("kind"),
            _text("step_key"),
            Column("tone", Integer),
            _text("approval"),
            Column("lines", JSONB),
            Column("line_count", Integer),
            Column("oldest_due", Date),
            _currency(),
            _minor("total"),
            Column("window_ends_at", INSTANT),
            Column("due_at", INSTANT),
            _text("withdrawn"),
            _version("withdrawn_version"),
        )
        self._index(self.reminder, "of_payer", "tenant_id", "payer_id", "due_at")
        self._index(self.reminder, "by_day", "tenant_id", "due_at")
        self.notice = self._table(
            "notice",
            "notice_id",
            _version(),
            _id("reminder_id"),
            _id("entity_id"),
            _id("case_id"),
            _id("payer_id"),
            _text("kind"),
            _text("state"),
            _text("reason"),
            _text("channel"),
            Column("tone", Integer),
            Column("covers", JSONB),
            Column("sent_at", INSTANT),
            Column("told_at", INSTANT),
        )
        self._index(self.notice, "of_reminder", "tenant_id", "reminder_id")
        self._index(self.notice, "by_state", "tenant_id", "state", "told_at")
        self._index(self.notice, "of_payer", "tenant_id", "payer_id", "told_at")
        self._index(self.notice, "formal", "tenant_id", "payer_id", postgresql_where=sql("kind = 'formal_notice'"))

    def _silence(self) -> None:
        self.hold = self._table(
            "hold",
            "hold_id",
            _version("placed_version"),
            _version("lifted_version"),
            _id("entity_id"),
            _text("scope"),
            _id("scope_id"),
            _id("payer_id"),
            _text("kind"),
            _currency(),
            _minor("amount"),
            Column("review_on", Date),
            _flag("lift_at_review"),
            Column("placed_at", INSTANT),
            Column("lifted_at", INSTANT),
            _text("lifted_for"),
        )
        self._index(self.hold, "of_payer", "tenant_id", "payer_id")
        self._index(self.hold, "by_review", "tenant_id", "review_on")
        self.promise = self._table(
            "promise",
            "promise_id",
            _version("made_version"),
            _version("ended_version"),
            _id("entity_id"),
            _id("case_id"),
            _id("payer_id"),
            _currency(),
            _minor("amount"),
            Column("promised_for", Date),
            Column("items", JSONB),
            Column("made_at", INSTANT),
            _text("ended"),
            Column("ended_at", INSTANT),
        )
        self._index(self.promise, "by_date", "tenant_id", "promised_for")
        self._index(self.promise, "of_payer", "tenant_id", "payer_id")
        self.dispute = self._table(
            "dispute",
            "dispute_id",
            _version("opened_version"),
            _version("ended_version"),
            _id("entity_id"),
            _id("case_id"),
            _id("payer_id"),
            _id("item_id"),
            _currency(),
            _minor("amount"),
            _text("reason"),
            Column("opened_at", INSTANT),
            _text("ended"),
            Column("ended_at", INSTANT),
        )
        self._index(self.dispute, "of_payer", "tenant_id", "payer_id")
        self._index(self.dispute, "of_item", "tenant_id", "item_id")

    def _work(self) -> None:
        self.case = self._table(
            "follow_up_case",
            "case_id",
            _version(),
            _id("entity_id"),
            _id("payer_id"),
            _text("state"),
            Column("told_at", INSTANT),
        )
        self.task = self._table(
            "task",
            "task_id",
            _version("opened_version"),
            _version("done_version"),
            _id("entity_id"),
            _id("case_id"),
            _id("payer_id"),
            _id("reminder_id"),
            _text("kind"),
            Column("due_on", Date),
            Column("opened_at", INSTANT),
            _text("outcome"),
            Column("done_on", Date),
        )
        self._index(self.task, "open", "tenant_id", "due_on", postgresql_where=sql("outcome is null"))
        self._index(self.task, "of_payer", "tenant_id", "payer_id")
        self.activity = self._table(
            "activity",
            "event_id",
            Column("at", INSTANT, nullable=False),
            Column("type", Text, nullable=False),
            _id("entity_id"),
            _id("payer_id"),
            _id("debtor_id"),
            _id("subject_id"),
            _currency(),
            _minor("amount"),
            Column("facts", JSONB, nullable=False),
        )
        self._index(self.activity, "latest", "tenant_id", sql("at desc"), "event_id")
        self._index(self.activity, "of_payer", "tenant_id", "payer_id", sql("at desc"))
        self._index(self.activity, "of_debtor", "tenant_id", "debtor_id", sql("at desc"))
        self._index(self.activity, "of_subject", "tenant_id", "subject_id")
        about = sql("(facts ->> 'invoice_id')")
        self._index(self.activity, "of_invoice", "tenant_id", about, postgresql_where=sql("facts ? 'invoice_id'"))

    @property
    def tables(self) -> list[Table]:
        """Every table of this set."""
        return [table for table in vars(self).values() if isinstance(table, Table)]

    @property
    def facts(self) -> list[Table]:
        """Those that the topics alone fill: all but what was worked out of them and kept."""
        kept_only = (self.mark, self.owing, self.account, self.sale, self.closing, self.coming, self.habit)
        return [table for table in self.tables if all(table is not each for each in kept_only)]
