"""One function per question asked of the notifier's tables, split by noun. Nothing here commits.

facts        what other services told: debtors, contacts, invoices, what items owe
notices      notices with their lines, and what they turn into
deliveries   one attempt to one recipient: claims, the wire, outcomes
doubts       deliveries on the wire whose end nobody put on record
tasks        what people have to do
mail         inbound messages, suppressed addresses
templates    tenants' own texts
volume       how much left on a day
"""
