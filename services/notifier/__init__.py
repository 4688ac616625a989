"""What a payer is told: templates, notices and their approval, deliveries, tasks, inbound mail, suppressed addresses.

Hears reminders, invoices, debtors, payments and the directory; says `relance.deliveries`.
The rule it protects: a debtor gets a reminder once, on permitted facts only, and what is doubtful is listed.
"""
