"""The hand-over list: what goes to a lawyer or a collection firm, and each customer's file to hand with it."""

from operator import itemgetter

from services.console.pages.lists import Choice, Column, Listing
from services.console.store import handing as store

LISTING = Listing(
    path="/hand-over",
    title="nav.handing",
    count="handing.count",
    find="filter.customer",
    scope="reminders:read",
    read=store.listed,
    order="sent",
    none="handing.none",
    sums="invoices.owing",
    template="handing.html",
    profiles=False,
    choices=(Choice("state", "invoice.status", store.STATES, words="handing."),),
    columns=(
        Column(
            "customer",
            "customer",
            "customer",
            itemgetter("name"),
            sorts=True,
            below=(
                Column("code", "customer.number", "text", itemgetter("external_id")),
                Column("siren", "customer.siren", "text", itemgetter("siren")),
            ),
        ),
        Column("collector", "customer.collector", "text", itemgetter("collector")),
        Column("sent", "handing.sent", "moment", itemgetter("sent_at"), sorts=True),
        Column("oldest", "customer.oldest", "days", itemgetter("late"), sorts=True),
        Column("items", "customer.items", "number", itemgetter("count")),
        Column("owed", "handing.owed", "owing", itemgetter("money"), sorts=True),
        Column("file", "handing.file", "dossier", itemgetter("debtor_id"), sheet=False),
    ),
)
