"""The links to the three servers: where they are, who we are there, how they are encrypted, and why one refuses us."""
