"""Cuts a canonical text into chunks and parent chunks."""
