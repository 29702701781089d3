"""What the engine does per second, beside the least SQL that writes the same rows, and what memory it takes.

One file for each measured path, with the engine's side and the raw side of it.
"""
