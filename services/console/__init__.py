"""console: the directory of who may do what for whom, and what the finance team sees.

owns    tenants, entities, users and roles, API keys, webhook sources, bank details, the audit chain; the read model
hears   every topic, into its read model
says    relance.directory: TenantConfigured, EntityConfigured, ApiKeyIssued/Revoked, SourceConfigured,
        BankDetailsApproved

It never writes another service's data. Its rows in the `directory_*` tables are the master: they change in the
transaction that records the event.
"""
