"""The fixtures point every test at the same running stack."""

from aiokafka.admin import AIOKafkaAdminClient

from libs.common.devstack.kafka import Kafka
from libs.common.settings import Settings


async def test_the_settings_point_at_the_broker(kafka: Kafka, settings: Settings) -> None:
    assert settings.kafka == kafka.address
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        assert (await admin.describe_cluster())["brokers"][0]["node_id"] == 1
    finally:
        await admin.close()
