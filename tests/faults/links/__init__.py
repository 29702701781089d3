"""Our own proxy between the engine and its servers: it slows, silences and cuts, and strikes at a chosen message."""
