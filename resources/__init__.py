"""Data that ships with Postil, read through importlib.resources."""
