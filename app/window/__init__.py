"""The window that holds the three panes."""
