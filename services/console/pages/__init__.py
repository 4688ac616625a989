"""The finance team's pages: HTML made on the server, in French and English; nothing needs a script to work.

web, formats, wording   rendering: templates, texts, figures, security headers
guard                   who is signed in, and that a form came from a page of ours
shell, asking           what surrounds every page; what an address asks for
commands                calling the owner of what a button changes
signing                 signing in and out, language and theme
today, approving        the morning's queue, and approving it
customers invoices balance payments finding operations   the pages
"""

from fastapi import APIRouter

from services.console.pages import (
    approving,
    balance,
    customers,
    finding,
    invoices,
    operations,
    payments,
    signing,
    today,
)


def routers() -> list[APIRouter]:
    """The routes of all pages."""
    rooms = (signing, today, approving, customers, invoices, balance, payments, finding, operations)
    return [room.routes for room in rooms]
