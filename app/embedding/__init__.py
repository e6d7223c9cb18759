"""The embedding model in the window: fetched where it is missing, and changed for another."""
