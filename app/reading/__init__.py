"""The reading pane: the text of a book, section by section."""
