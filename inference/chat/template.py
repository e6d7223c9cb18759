"""A model's chat template: where it is found, and how it is rendered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.errors import ChatTemplateError, MissingDependencyError, ModelConfigError

MAX_TEMPLATE_CHARACTERS = 1024 * 1024
_BASE_UNITS = 2_000_000
_UNITS_PER_CHARACTER = 100
_TIMEOUT_S = 5.0

PLAIN_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages %}
{{- (message.role | capitalize) + ': ' + (message.content | trim) + '\\n\\n' -}}
{%- endfor %}
{%- if add_generation_prompt %}{{- 'Assistant:' -}}{% endif -%}
"""
"""For models without a template: names and colons, as in a play."""

PLAIN_STOP_STRINGS = ("\nUser:", "\nSystem:")


def find_templates(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Read a model's templates: `chat_template.jinja`, else those of `tokenizer_config.json`.

    Args:
        folder: the model's.
        config: `tokenizer_config.json`.

    Returns:
        By name; the usual one is called "default". Empty where the model has none.

    Raises:
        ModelConfigError: a file that cannot be read, or what is no template.
    """
    file = folder / "chat_template.jinja"
    found: dict[str, str] = {}
    if file.is_file():
        try:
            found["default"] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelConfigError(f"{file} cannot be read: {error}") from error
        for named in sorted((folder / "additional_chat_templates").glob("*.jinja")):
            found[named.stem] = named.read_text(encoding="utf-8")
    else:
        found = _templates_in(config.get("chat_template"))
    if any(len(source) > MAX_TEMPLATE_CHARACTERS for source in found.values()):
        raise ModelConfigError("The chat template is larger than a megabyte.")
    return found


def _templates_in(written: object) -> dict[str, str]:
    if written is None:
        return {}
    if isinstance(written, str):
        return {"default": written}
    if isinstance(written, Mapping):
        pairs = list(written.items())
    elif isinstance(written, Sequence):
        pairs = [
            (entry.get("name"), entry.get("template"))
            for entry in written
            if isinstance(entry, Mapping)
        ]
    else:
        pairs = []
    if not pairs or not all(isinstance(part, str) for pair in pairs for part in pair):
        raise ModelConfigError("chat_template in tokenizer_config.json is not a template.")
    return dict(pairs)


class TemplateLimitError(ChatTemplateError):
    """The template does too much."""


class ChatTemplate:
    """One compiled template.

    Attributes:
        source: as the model's author wrote it.
        takes_tools: whether it looks at `tools`.
    """

    def __init__(self, source: str) -> None:
        """Compile.

        Raises:
            MissingDependencyError: Jinja2 is not installed.
            ChatTemplateError: not a template.
        """
        try:
            from jinja2.meta import find_undeclared_variables

            from inference.chat.sandbox import Sandbox
        except ImportError as error:
            raise MissingDependencyError(
                "Chat needs the package Jinja2: pip install jinja2"
            ) from error
        self.source = source
        environment = Sandbox()
        try:
            self._template = environment.from_string(source)
            self.takes_tools = "tools" in find_undeclared_variables(environment.parse(source))
        except Exception as error:  # Jinja2's own, RecursionError, SyntaxError, MemoryError
            raise ChatTemplateError(
                f"The model's chat template cannot be read: {_said(error)}"
            ) from error

    def render(self, variables: Mapping[str, object]) -> str:
        """Render, in bounded time and memory.

        Args:
            variables: plain values as JSON has them.

        Raises:
            ChatTemplateError: the template refuses the messages, fails, or does too much.
        """
        from inference.chat.sandbox import generate
        from inference.chat.template_budget import Budget

        size = len(json.dumps(variables, ensure_ascii=False))
        budget = Budget(_BASE_UNITS + _UNITS_PER_CHARACTER * size, _TIMEOUT_S)
        try:
            return generate(self._template, variables, budget)
        except ChatTemplateError:
            raise
        except Exception as error:  # a template may raise anything
            raise ChatTemplateError(
                f"The model's chat template does not take these messages: {_said(error)}"
            ) from error


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
