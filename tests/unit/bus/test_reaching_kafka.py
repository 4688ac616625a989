"""How the brokers are reached: what clients are told, and what is refused at the start."""

import ssl

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from libs.common.kafka import reaching
from libs.common.settings import SettingMissing, Settings

LOGIN = {"RELANCE_KAFKA_USER": "relance", "RELANCE_KAFKA_PASSWORD": "secret"}


def told(**env: str) -> dict[str, object]:
    return reaching(Settings.from_env({"RELANCE_KAFKA": "kafka:9092", **env}))


def test_the_embedded_broker_is_reached_in_the_clear() -> None:
    assert told() == {"bootstrap_servers": "kafka:9092", "security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize(("tls", "protocol"), [("off", "SASL_PLAINTEXT"), ("on", "SASL_SSL")])
def test_a_login_is_proved_by_scram_unless_told_otherwise(tls: str, protocol: str) -> None:
    found = told(RELANCE_KAFKA_TLS=tls, **LOGIN)
    assert (found["security_protocol"], found["sasl_mechanism"]) == (protocol, "SCRAM-SHA-512")
    assert told(RELANCE_KAFKA_SASL="PLAIN", **LOGIN)["sasl_mechanism"] == "PLAIN"


async def test_clients_take_what_they_are_told() -> None:
    found = told(RELANCE_KAFKA_TLS="on", **LOGIN)
    context = found["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode == ssl.CERT_REQUIRED
    for client in (AIOKafkaProducer, AIOKafkaConsumer):
        await client(**found).stop()


@pytest.mark.parametrize(
    ("env", "names"),
    [
        ({"RELANCE_KAFKA_USER": "relance"}, "RELANCE_KAFKA_PASSWORD"),
        ({"RELANCE_KAFKA_TLS": "yes"}, "RELANCE_KAFKA_TLS"),
        ({"RELANCE_KAFKA_SASL": "GSSAPI"}, "RELANCE_KAFKA_SASL"),
    ],
)
def test_half_a_login_or_an_unknown_word_ends_the_start_with_its_name(env: dict[str, str], names: str) -> None:
    with pytest.raises(SettingMissing, match=names):
        Settings.from_env(env)
