"""What the pages ask of the read model, one function a question; every answer belongs to one tenant.

ledger     what is owed and since when: the pieces that the other questions are made of
slices     a question that a list asks, and what it gets
past       what was owed on a day gone by, as shown that day
balance    the aged balance at any date, down to a cell's items
dso        what stood at the end of days, and what was sold until then
customers  the list of customers, and one customer's file
invoices   the list of invoices, and one invoice
payments   payments, and what of them is left to allocate
silence    promises, disputes, holds and exclusions
notes      what people noted about a customer
today      what a collector has to do now
work       the state of the work in figures
finding    the search over everything
people     whose name stands behind an actor
imports    files on their way in
notices    the newest notices, to look at a text on
"""
