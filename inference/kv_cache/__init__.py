"""The paged cache of keys and values: its tensors, its size, and who holds which block."""
