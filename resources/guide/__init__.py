"""The user guide: one Markdown file for each chapter, the stylesheet and the cover."""
