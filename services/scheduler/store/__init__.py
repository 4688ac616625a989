"""The scheduler's questions to its tables, one function each: facts in, facts out, no rules.

cases      opening, locking, marking as to be looked at
items      invoices and residuals
waiting    imported history that waits for a person
money      payments, credit notes, feeds
evidence   occurrences, notices, parties
holds      holds, promises, plans, disputes
policies   policy versions
running_in people's decisions by step, and bounded days
facts      everything a decision needs, for many cases at once
sweeping   claiming cases and writing decisions
"""
