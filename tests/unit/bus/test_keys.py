"""Keys map to partitions as Kafka's own clients map them."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from libs.common.events import PARTITIONS
from libs.common.kafka import partition_of


@given(st.text())
def test_a_key_belongs_to_the_partition_that_every_kafka_client_gives_it(key: str) -> None:
    everything = list(range(PARTITIONS))
    assert partition_of(key) == DefaultPartitioner()(key.encode(), everything, everything)
