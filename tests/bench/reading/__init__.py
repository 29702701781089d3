"""Records from visible in Kafka to parsed: the engine's consumer with nothing to apply, against aiokafka alone.

The engine's side is `bus.consumer` as it is deployed: FastStream's loop, our reader in place of its poll, a subscriber
for every other topic too, the watermark beside it, and for each page the database's clock and an empty transaction.
The other side is a loop over `getmany` that parses each record in the same way and touches no database.
"""
