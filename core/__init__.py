"""The domain: books and their text, conversations, persistence, events and settings."""
