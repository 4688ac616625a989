"""Settings come from the environment; outside development nothing secret has a default."""

import pytest

from libs.common.clock import SharedClock, SystemClock
from libs.common.settings import SettingMissing, Settings

PRODUCTION = {
    "RELANCE_ENVIRONMENT": "production",
    "RELANCE_DATABASE_URL": "postgresql://db:5432/relance",
    "RELANCE_KAFKA": "kafka:9092",
    "RELANCE_API_PASSWORD": "a",
    "RELANCE_LOOP_PASSWORD": "b",
    "RELANCE_SERVICE_SECRET": "c",
    "RELANCE_SEAL_KEYS": "k1:" + "A" * 43 + "=",
}


def test_development_starts_with_nothing_set() -> None:
    settings = Settings.from_env({})
    assert settings.ports["console"] == 8100
    assert isinstance(settings.clock(), SharedClock)


def test_production_takes_what_it_is_given_and_no_movable_clock() -> None:
    settings = Settings.from_env(PRODUCTION | {"RELANCE_CLOCK_FILE": "/tmp/clock"})
    assert isinstance(settings.clock(), SystemClock)
    assert settings.clock_file is None


@pytest.mark.parametrize("name", sorted(set(PRODUCTION) - {"RELANCE_ENVIRONMENT"}))
def test_a_missing_secret_ends_the_start_with_its_name(name: str) -> None:
    with pytest.raises(SettingMissing, match=name):
        Settings.from_env({key: value for key, value in PRODUCTION.items() if key != name})


def test_secrets_are_not_printed() -> None:
    printed = repr(Settings.from_env(PRODUCTION | {"RELANCE_SERVICE_SECRET": "canary-of-the-cage"}))
    assert "canary" not in printed


def test_a_seal_key_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(SettingMissing, match="RELANCE_SEAL_KEYS"):
        Settings.from_env(PRODUCTION | {"RELANCE_SEAL_KEYS": "k1:AAAA"})
