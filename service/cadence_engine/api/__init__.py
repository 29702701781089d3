"""The API over HTTP: the same handlers as the command line, for whoever has a key or a token."""
