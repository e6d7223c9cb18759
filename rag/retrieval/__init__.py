"""Finds passages inside a scope."""
