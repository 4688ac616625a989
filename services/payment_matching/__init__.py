"""payment_matching: the only service that says what an item still owes.

Owns bank accounts, statements, payments, open items and their residuals, suggestions and payer identities.
Hears invoices, debtors, plans that were agreed, and the directory.
Says PaymentReceived, PaymentMatched, PaymentUnmatched, PaymentReversed, CreditApplied, InvoiceSettled, InvoiceReopened
and FeedAdvanced on `relance.payments`.
"""
