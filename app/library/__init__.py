"""The library pane: the books there are, and how far each has come."""
