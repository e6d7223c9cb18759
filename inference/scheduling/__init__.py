"""Which sequences are computed in which step."""
