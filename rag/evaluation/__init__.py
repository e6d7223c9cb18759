"""Measures search, answers, refusals and the spoiler boundary on questions of known evidence."""
