"""A policy as a file: the YAML that people keep, and the JSON Schema that their editors check it with.

The rule it protects: what is exported is read again as the same policy, with nothing in it that the reader fills in.
"""

from typing import Any

import yaml

from services.scheduler.policy import Policy


def written(policy: Policy) -> str:
    """The policy as YAML, without what every policy has anyway: `parse(written(policy)) == policy`."""
    told: str = yaml.safe_dump(plain(policy), allow_unicode=True, sort_keys=False, width=100)
    return told


def plain(policy: Policy) -> dict[str, Any]:
    """The policy as JSON knows it, without defaults."""
    return policy.model_dump(mode="json", exclude_defaults=True)


def schema() -> dict[str, Any]:
    """The JSON Schema of policy files; conditions are texts in it, the linter reads them."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:relance:policy",
        **Policy.model_json_schema(),
    }
