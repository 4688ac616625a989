"""invoice_ingest: every invoice, credit note and debtor enters here, once, and is never lost or guessed.

Owns: parties, debtors, contacts, invoices, instalments, credit notes, documents, imports, quarantine.
Hears: relance.directory, and CreditApplied on relance.payments (so that a permit knows which credits are applied).
Says: relance.invoices (InvoiceIssued, InvoiceAmended, InvoiceCancelled, CreditNoteIssued, DebtorErased) and
relance.debtors (DebtorChanged).
"""
