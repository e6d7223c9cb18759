"""Conversations: from messages to a prompt, and from an answer back to its parts."""
