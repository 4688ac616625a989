"""The directory's master: every change in one transaction with its event and its line in the audit chain.

change       the one way to change an entry
tenants entities keys sources bank_details   what may be changed, and the rules of each
spreading    which services have heard a change
"""
