"""Dialogs; all are opened without blocking the loop."""
