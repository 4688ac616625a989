"""The finance team's pages: HTML made on the server, in French and English; nothing needs a script to work.

web, formats, wording   rendering: templates, texts, figures, security headers
guard                   who is signed in, and that a form came from a page of ours
shell, asking           what surrounds every page; what an address asks for
lists                   the list page that every list is: columns, filters, sorting, paging, its Excel file's question
excel                   Excel files of tables
commands, forms         calling the owner of what a button changes; what people type
signing                 signing in and out, language and theme
copies                  the invoice copies behind the link of a mail
today, approving        the morning's queue, and approving it
seconding, two_people   what of the payments waits for a second person; from which amount on, and all that waits
acting, why             what people do about a customer; why something was said or not
customers invoices interest balance dso forecast measures payments plans silence handing tieout team reports
                        finding operations
owned                   lists that the scheduler keeps
credit, credit_file, credit_sheets, insurance, declared, telling, recovering
                        credit control: accounts and requests, one customer's, insurers and courts, whom it is told,
                        recovery files
                        the pages of the work
policies, rehearsing, shadowing, drafting, ladder, templates, calendars, imports, remembered, integrations, accounts,
                        journal
                        the pages of the set-up
deeds                   what people do through the console, for the audit
"""

from collections.abc import Sequence

from fastapi import APIRouter

from services.console.pages import (
    accounts,
    acting,
    approving,
    balance,
    calendars,
    copies,
    credit,
    credit_file,
    credit_sheets,
    customers,
    declared,
    drafting,
    dso,
    excel,
    finding,
    forecast,
    handing,
    imports,
    insurance,
    integrations,
    interest,
    invoices,
    journal,
    keys,
    lists,
    matching,
    measures,
    operations,
    payments,
    plans,
    policies,
    portfolios,
    recovering,
    rehearsing,
    remembered,
    reports,
    seconding,
    shadowing,
    signing,
    silence,
    team,
    telling,
    templates,
    tieout,
    today,
    two_people,
    why,
)


def listings() -> Sequence[lists.Listing]:
    """Every list: each has its page, and its Excel file at the page's address with `.xlsx`."""
    return (
        customers.LISTING,
        invoices.LISTING,
        payments.LISTING,
        silence.PROMISES,
        silence.DISPUTED,
        silence.HOLDS,
        handing.LISTING,
        credit.LISTING,
    )


def routers() -> list[APIRouter]:
    """The routes of all pages."""
    rooms = (
        signing,
        copies,
        today,
        approving,
        customers,
        acting,
        why,
        invoices,
        interest,
        balance,
        dso,
        forecast,
        measures,
        payments,
        plans,
        matching,
        seconding,
        two_people,
        tieout,
        team,
        reports,
        portfolios,
        silence,
        credit,
        credit_file,
        credit_sheets,
        insurance,
        declared,
        telling,
        recovering,
        finding,
        keys,
        policies,
        rehearsing,
        shadowing,
        drafting,
        templates,
        calendars,
        imports,
        remembered,
        integrations,
        accounts,
        journal,
        operations,
    )
    files = (each for each in listings() if each is not credit.LISTING)  # that one asks its owner first
    plain = (customers.LISTING, invoices.LISTING, handing.LISTING)
    return [*(room.routes for room in (*rooms, operations)), lists.routes_of(*plain), excel.routes_of(*files)]
