"""Attention over the paged cache, one implementation for each kind of device."""
