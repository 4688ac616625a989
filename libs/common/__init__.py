"""What every service stands on: plain values, the bus, the doors, and the means to operate them.

settings clock money ids errors retry        plain values, no I/O
db tables outbox inbox consumer dead_letters permits   the bus on Postgres and Kafka, and its brake
kafka runtime http auth directory health     processes and doors
logs metrics tracing migrate cli devstack    operating it
events                                       what the services tell one another
"""
