"""Embedded PostgreSQL, Valkey and Apache Kafka for `cadence-engine dev`, the demo and tests; not for production."""
