"""From passages to an answer whose every quote is a slice of a book."""
