"""What Postil knows of a book."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QVBoxLayout, QWidget

from app.library.book_model import status_words
from app.widgets import label, rule
from core.books import Book, BookStatus


class DetailsDialog(QDialog):
    """A book's metadata, how it came in, and what was wrong with it."""

    def __init__(self, book: Book, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Details")
        self.setMinimumWidth(480)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(12)
        title = label(book.title, wrap=True)
        title.setObjectName("paneTitle")
        column.addWidget(title)
        column.setSpacing(8)
        if book.author:
            column.addWidget(label(book.author, tone="muted", wrap=True))
        if book.error:
            column.addWidget(label(book.error, tone="danger", wrap=True))
        column.addWidget(rule())
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        for name, value in details(book):
            words = label(value, wrap=True)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            form.addRow(label(name, tone="muted"), words)
        column.addLayout(form)
        for warning in book.warnings:
            column.addWidget(label(warning, tone="muted", wrap=True))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column.addStretch(1)
        column.addWidget(buttons)


def details(book: Book) -> list[tuple[str, str]]:
    """Return name and value of what is known, in the order shown."""
    about = book.metadata
    ready = book.status is BookStatus.READY
    rows = [
        ("Status", status_words(book) or ("Ready" if ready else book.status.value)),
        ("Language", "" if about.language == "und" else about.language),
        ("Publisher", about.publisher or ""),
        ("Published", (about.published or "").partition("T")[0]),
        ("Series", about.series or ""),
        ("Subjects", ", ".join(about.subjects[:8])),
        ("Length", f"{book.character_count:,} characters" if book.character_count else ""),
        ("Passages", f"{book.chunk_count:,}" if book.chunk_count else ""),
        ("Format", book.format.upper()),
        ("Read as", book.encoding or ""),
        ("File", book.source_name),
        ("Added", f"{book.added_at.astimezone():%d %B %Y, %H:%M}"),
    ]
    return [(name, value) for name, value in rows if value]
