"""scheduler: decides what is said to whom and when, and what keeps silent.

owns    policies, cases, occurrences, holds, promises, plans, disputes
hears   relance.invoices, relance.debtors, relance.payments, relance.deliveries, relance.directory
says    relance.reminders: ReminderDue, ReminderWithdrawn, HoldPlaced/Lifted, PromiseMade/Kept/Broken, PlanAgreed,
        PlanDefaulted, DisputeOpened/Resolved, CaseEscalated, CaseClosed

The rules (policy, calendar, case, planner, grouping, explain) are pure: facts in, decision out. Handlers only keep
facts and mark their case as to be looked at; the sweep alone decides, under the case's lock.
"""
