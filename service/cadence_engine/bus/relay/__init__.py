"""Publishes the log to Kafka, each event exactly once and each contact's in order.

One **transaction** of the relay is a Kafka transaction inside a PostgreSQL transaction: lock the first unpublished
batches, read their events, publish the records and the new mark, commit in Kafka, set the batches published and move
`last_mark`, commit in PostgreSQL. Whatever dies in between leaves one of three pictures, and `recovery` tells them
apart: nothing happened, all happened, or Kafka's commit alone happened, and then the mark says of which batches.

Rules that others rest on:

* The **mark** is the offset that group `cadence-engine.relay` has committed on topic `cadence.relay`: the running
  number of the Kafka transaction. Its metadata name the batches and carry a digest.
* The **digest** is a chain: that of the transaction before, then batch ids and event ids in order. So equal digests
  mean the same history from the first event on, also where retention has since dropped the batches. It covers ids only:
  **an erase may change type and data of an unpublished event, never its id, nor may it add or remove rows.**
* The rows of `event_batches` stay locked from before their events are read until they are published. **Whoever rewrites
  unpublished events first locks their batches** (`.. WHERE published_at IS NULL ORDER BY batch_id FOR UPDATE`), and
  leaves alone those that are gone from that answer. So the log keeps what was published, and what is rewritten in time
  is published as rewritten. A relay that freezes loses its locks after a few seconds (`idle_in_transaction`), and can
  at worst have published the former text; nothing wedges, as the ids are the same.
* The **lease** prevents duels, nothing else. Exactly-once rests on the transactional id (starting a producer fences the
  one before), on reading the mark after that, and on `last_mark` moving only from `mark - 1`.
* On any doubt the producer is dropped, never used again, and all begins anew with a fresh one and a look at the mark.
"""
