"""What a team writes about a cadence: YAML, read with positions so that every error says where."""
