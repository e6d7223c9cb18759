"""Families of decoders; each file holds one."""
