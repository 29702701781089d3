"""`cadence-engine demo`: a script of events, played as another service would, and a check of what came of it.

The check knows the script, the definitions and what is on the three outbound topics; nothing of the engine's database.
"""
