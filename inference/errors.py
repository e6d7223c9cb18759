"""Every error that the engine raises on purpose.

    EngineError
    ├── ModelError                 a folder cannot be served; the message says why
    │   ├── ModelFolderError       no such folder, or no model in it
    │   ├── ModelConfigError       config.json is missing, not JSON, or contradicts itself
    │   ├── UnsupportedModelError  an architecture or quantisation that the engine does not know
    │   └── CheckpointError        a tensor is missing, misshapen, or its file is cut short
    ├── MissingDependencyError     an optional package is needed; the message names it
    ├── DeviceError                the device is not there, or its memory does not hold the model
    ├── RequestError               the request itself is wrong (HTTP 400)
    │   ├── InvalidParameterError  a parameter is out of range; `parameter` names it
    │   ├── PromptTooLongError     prompt and answer do not fit the context, or the cache
    │   ├── GrammarError           a JSON schema or grammar that cannot be compiled
    │   └── ChatTemplateError      the model's template refuses the messages, or fails
    ├── QueueFullError             too many requests wait (HTTP 429); `retry_after_s`
    ├── NumericalError             the model produced NaN or infinity for one request
    └── EngineStoppedError         the engine was closed, or failed, while the request ran

Messages are whole sentences for whoever runs the server.
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of all errors that the engine raises on purpose."""


class ModelError(EngineError):
    """A folder cannot be served."""


class ModelFolderError(ModelError):
    """No such folder, or no model in it."""


class ModelConfigError(ModelError):
    """`config.json` is missing, not JSON, or contradicts itself."""


class UnsupportedModelError(ModelError):
    """An architecture or quantisation that the engine does not know."""


class CheckpointError(ModelError):
    """A tensor is missing, misshapen, or its file is cut short."""


class MissingDependencyError(EngineError):
    """An optional package is needed."""


class DeviceError(EngineError):
    """The device is not there, or its memory does not hold the model."""


class RequestError(EngineError):
    """The request itself is wrong."""


class InvalidParameterError(RequestError):
    """A parameter is out of range; `parameter` names it."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class PromptTooLongError(RequestError):
    """Prompt and answer do not fit the context, or can never fit the cache."""


class GrammarError(RequestError):
    """A JSON schema or grammar that cannot be compiled."""


class ChatTemplateError(RequestError):
    """The model's chat template refuses the messages, or fails."""


class QueueFullError(EngineError):
    """Too many requests wait; `retry_after_s` says when to come again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NumericalError(EngineError):
    """The model produced NaN or infinity for one request."""


class EngineStoppedError(EngineError):
    """The engine was closed, or failed, while the request ran."""
