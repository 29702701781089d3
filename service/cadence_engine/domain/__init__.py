"""What a cadence is and what may happen to an enrollment: pure decisions, no I/O, the time is an argument."""
