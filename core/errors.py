"""Every error that Postil raises on purpose.

    PostilError
    ├── BadBookError              a source file cannot become a book; the message says why
    │   ├── UnknownFormatError    not a kind of file that Postil reads
    │   ├── EmptyBookError        no text in it
    │   ├── DamagedBookError      broken beyond what can be read
    │   ├── ProtectedBookError    encrypted (DRM)
    │   └── OversizedBookError    past a limit on size, entries, depth or time
    ├── NotFoundError             no such book, job, endpoint or conversation
    ├── ConflictError             the name is taken, or the thing is already there
    ├── StorageError              the library refuses: disk full, read-only, damaged, or newer
    ├── SecretError               a key could not be stored or read
    ├── EmbeddingError            the embedding model is missing or does not load
    ├── EndpointError             a model's endpoint did not answer as it should
    │   ├── EndpointUnreachableError   no connection, no name, TLS failure
    │   ├── EndpointAuthError          401, 403
    │   ├── EndpointModelError         404: no such path or model
    │   ├── EndpointRateError          429; `retry_after_s` where the server says
    │   ├── EndpointServerError        5xx
    │   ├── ContextOverflowError       the prompt is longer than the model takes
    │   ├── EndpointTimeoutError       nothing came in time
    │   └── EndpointProtocolError      a reply that is not what the API promises, or one cut short
    └── CancelledByReaderError    the reader stopped it

Messages are whole sentences for the reader: they say what happened and what can be done, and never
hold a key or a traceback.
"""

from __future__ import annotations


class PostilError(Exception):
    """Base of all errors that Postil raises on purpose."""


class BadBookError(PostilError):
    """A source file cannot become a book."""


class UnknownFormatError(BadBookError):
    """Not a kind of file that Postil reads."""


class EmptyBookError(BadBookError):
    """The file holds no text."""


class DamagedBookError(BadBookError):
    """The file is broken beyond what can be read."""


class ProtectedBookError(BadBookError):
    """The file is encrypted (DRM)."""


class OversizedBookError(BadBookError):
    """The file is past a limit on size, entries, depth or time."""


class NotFoundError(PostilError):
    """No such book, job, endpoint or conversation."""


class ConflictError(PostilError):
    """The name is taken, or the thing is already there."""


class JobLostError(PostilError):
    """The job is over, or another process has taken it."""


class StorageError(PostilError):
    """The library's folder or database refuses: full, read-only, damaged, or newer than Postil."""


class SecretError(PostilError):
    """A key could not be stored or read."""


class EmbeddingError(PostilError):
    """The embedding model is missing or does not load."""


class EndpointError(PostilError):
    """A model's endpoint did not answer as it should."""


class EndpointUnreachableError(EndpointError):
    """No connection could be made."""


class EndpointAuthError(EndpointError):
    """The endpoint refuses the key."""


class EndpointModelError(EndpointError):
    """The endpoint knows no such path or model."""


class EndpointRateError(EndpointError):
    """The endpoint asks to wait; `retry_after_s` where it says how long."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EndpointServerError(EndpointError):
    """The endpoint failed on its own side."""


class ContextOverflowError(EndpointError):
    """The prompt is longer than the model takes."""


class EndpointTimeoutError(EndpointError):
    """Nothing came in time."""


class EndpointProtocolError(EndpointError):
    """A reply that is not what the API promises, or one cut short."""


class CancelledByReaderError(PostilError):
    """The reader stopped it."""
