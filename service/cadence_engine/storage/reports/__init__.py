"""What operators ask for: read-only, of one company each, never locking anything."""
