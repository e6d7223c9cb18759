"""Typefaces that ship with Postil: Inter for the window, Literata for books (both OFL 1.1)."""
