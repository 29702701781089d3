"""What the processes tell Prometheus, on `/metrics` of their health port.

One module for each thing that is counted, imported by the edge that does it. Handlers, storage and the domain know
nothing of this: they return values, and `storage.committed` hands over the events of each committed transaction,
whichever process it is of.

Names begin with `cadence_` and end with their unit, `_total` where they only grow. Labels have few values, known when
the process starts: never a company, a cadence, a contact or anything that somebody wrote.

What a process counts is added up over the replicas (`sum`). What `backlog` reads from the database is the same in all
workers: there `max` is to be taken.
"""
