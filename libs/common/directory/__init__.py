"""The directory as every service keeps it, so that it works while the console is down.

tables         one row an entry: tenants, entities, API keys, webhook sources, bank details
hearing        handlers of the directory's events: the highest version wins
readers        what a service asks of it
credentials    keys and sources across tenants, through one SECURITY DEFINER function
completeness   when a fresh service may serve
door           `libs.common.directory.door`: the route that tells the console how far a service has heard
"""

from libs.common.directory.completeness import (
    Broker,
    FirstReading,
    complete,
    entry_version,
    first_reading,
    heard,
    mark_complete,
    readiness,
)
from libs.common.directory.credentials import (
    KnownKey,
    KnownSource,
    NewKey,
    api_key,
    credential_functions,
    new_key,
    source,
    split_key,
)
from libs.common.directory.hearing import handlers, keep
from libs.common.directory.readers import (
    BankDetails,
    Entity,
    Source,
    Tenant,
    bank_details,
    entities,
    entity,
    sources,
    tenant,
    tenants,
)
from libs.common.directory.tables import INSTALLATION

__all__ = [
    "INSTALLATION",
    "BankDetails",
    "Broker",
    "Entity",
    "FirstReading",
    "KnownKey",
    "KnownSource",
    "NewKey",
    "Source",
    "Tenant",
    "api_key",
    "bank_details",
    "complete",
    "credential_functions",
    "entities",
    "entity",
    "entry_version",
    "first_reading",
    "handlers",
    "heard",
    "keep",
    "mark_complete",
    "new_key",
    "readiness",
    "source",
    "sources",
    "split_key",
    "tenant",
    "tenants",
]
