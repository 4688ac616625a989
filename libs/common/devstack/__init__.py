"""The embedded stack: PostgreSQL 18, Apache Kafka and a mail catcher from packages, and the supervisor that keeps them.

The rule it protects: it needs no root, no container and no Java, touches nothing outside its own folder and ports,
and when it stops, it stops what it started and nothing else.
"""
