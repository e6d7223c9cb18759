"""Runs a chat template that nobody vouches for, within bounds of time and memory.

Jinja2's immutable sandbox keeps a template from Python's internals and from changing what it is
given. It does not keep it from looping or from building endless text. So everything that a template
can do in number or in size is charged to a budget *before* it is done: each turn of a loop, each
call, comparison and piece of output, and the size of each text or list built, counted with
everything that it holds. Names outside a list of harmless filters and globals do not exist. What
remains between two charges is work linear in what was paid for, so that the deadline, looked at
with each charge, holds. All of it is plain Python and works alike on every system.
"""

# ruff: noqa: ANN401 - a template's values have any type

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any

from jinja2 import Template, nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, _PassArg, pass_context

from inference.chat.template import TemplateLimitError
from inference.chat.template_budget import OBJECT_UNITS, Budget, current_budget
from inference.chat.template_rewriting import Charging

_MAX_NUMBER = 1_000_000  # no call takes a larger number
_FILTERS = (
    "abs", "batch", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first",
    "float", "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower", "map",
    "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "safe", "select",
    "selectattr", "slice", "sort", "string", "sum", "title", "trim", "unique", "upper", "wordcount",
)  # fmt: skip
_REFUSED_METHODS = frozenset({"format_map", "translate", "encode"})
_PLAIN_FORMAT = re.compile(r"(?:[^{}]|\{\{|\}\}|\{\w*\})*")


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's environment with transformers' conventions for chat templates, and a budget."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        self.filters = {name: _charged(name, self.filters[name]) for name in _FILTERS}
        self.filters |= {
            "tojson": pass_context(_to_json),
            "_tick": pass_context(_tick),
            "_made": pass_context(_made),
            "_concat": pass_context(_concat),
            "_sliced": pass_context(_sliced),
        }
        kept = {name: self.globals[name] for name in ("range", "dict", "cycler", "joiner")}
        self.globals = {
            **kept,
            "namespace": _Namespace,
            "raise_exception": _raise_exception,
            "strftime_now": _strftime_now,
        }

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        parsed = super()._parse(source, name, filename)
        rewritten: nodes.Template = Charging().visit(parsed)
        rewritten.set_environment(self)
        return rewritten

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may look at an attribute."""
        if isinstance(obj, str) and attr in _REFUSED_METHODS:
            return False
        if isinstance(obj, int | float | bytes):  # bytes grow like texts, and numbers make bytes
            return False
        return bool(super().is_safe_attribute(obj, attr, value))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Let `str.format` fill in values, but not set widths, which have no bound."""
        inner = super().wrap_str_format(value)
        if inner is None:
            return None
        text = str(value.__self__)
        if not _PLAIN_FORMAT.fullmatch(text):
            raise SecurityError("A chat template must not format texts but by {} and {name}.")

        def fill_in(*args: Any, **kwargs: Any) -> str:
            current_budget.get().charge_value([args, kwargs], 1 + text.count("{"))
            return str(inner(*args, **kwargs))

        return fill_in

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Pay for the result of an operator, then compute it."""
        budget = current_budget.get()
        if operator == "*":
            for value, times in ((left, right), (right, left)):
                if isinstance(times, int):
                    budget.charge_value(value, max(times, 1) if _is_sequence(value) else 1)
        elif operator == "**" and (abs(right) > 64 or abs(left) > _MAX_NUMBER):
            raise TemplateLimitError("The model's chat template computes too large a power.")
        elif operator == "%" and isinstance(left, str):
            if re.search(r"\d{4}|\*", left):
                raise TemplateLimitError("The model's chat template formats too wide a text.")
            budget.charge_value([left, right], 1 + left.count("%"))
        budget.charge_value([left, right])
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as in the base class
        """Pay for a call, make it, and pay for what it returns."""
        receiver = getattr(__obj, "__self__", None)
        if isinstance(receiver, str):
            _charge_growth(__obj.__name__, receiver, args, kwargs)
        else:
            _check_numbers(args, kwargs)
        current_budget.get().charge(OBJECT_UNITS)
        return _paid_for(super().call(__context, __obj, *args, **kwargs))


class _Namespace(Namespace):
    """Jinja2's namespace, but for names with underscores, which Python gives a meaning."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, given = args[0], dict(*args[1:], **kwargs)
        for name in given:
            _check_name(name)
        Namespace.__init__(self, given)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"A chat template must not set {name}.")


class _Generation(Extension):
    """`{% generation %}`, which marks what an assistant said for training; it changes nothing."""

    tags = {"generation"}  # noqa: RUF012 - as in the base class

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Give the block's own statements."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def generate(template: Template, variables: Mapping[str, object], budget: Budget) -> str:
    """Render a template of the sandbox under a budget.

    Raises:
        TemplateLimitError: the budget does not suffice.
        Exception: whatever else a template may raise.
    """
    token = current_budget.set(budget)
    try:
        return template.render(variables)
    finally:
        current_budget.reset(token)


def _is_sequence(value: object) -> bool:
    return isinstance(value, str | list | tuple)


def _paid_for(value: Any) -> Any:
    """Take a result: a generator is drawn out, since it would work without being charged."""
    if isinstance(value, Iterator):
        drawn = []
        for item in value:
            current_budget.get().charge(OBJECT_UNITS)
            drawn.append(item)
        value = drawn
    current_budget.get().charge_value(value)
    return value


def _check_numbers(args: Iterable[object], kwargs: Mapping[str, object]) -> None:
    for value in (*args, *kwargs.values()):
        if isinstance(value, int) and abs(value) > _MAX_NUMBER:
            raise TemplateLimitError("The model's chat template asks for too much at once.")


def _charge_growth(name: str, text: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Pay for what a method or filter makes of a text, where that may be larger than the text."""
    _check_numbers(args, kwargs)
    given = [*args, *kwargs.values()]
    numbers = [value for value in given if isinstance(value, int)]
    texts = [value for value in given if isinstance(value, str)]
    longest = max([len(value) for value in texts], default=0)
    units = 0
    if name == "replace":
        old = str(args[0] if args else kwargs.get("old", ""))
        units = text.count(old) * max([len(str(value)) for value in given], default=0)
    elif name == "join":
        count = max([len(value) for value in given if hasattr(value, "__len__")], default=0)
        units = count * len(text)
    elif name == "indent":
        units = (text.count("\n") + 1) * max([longest, *numbers, 4])
    elif name in {"center", "ljust", "rjust", "zfill", "expandtabs"}:
        units = (text.count("\t") + 1) * max([*numbers, 8])
    current_budget.get().charge(units)


def _charged(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that pays for its work."""
    passes = _PassArg.from_obj(function)

    @pass_context
    def paying(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        given = [*args, *kwargs.values()]
        if name == "sum" and any(_is_sequence(one) and not isinstance(one, str) for one in given):
            raise SecurityError("A chat template must add up nothing but numbers.")
        current_budget.get().charge_value(value)
        # What is given may be used with each of the values: between them, or to compare them with.
        current_budget.get().charge_value(given, _count(name, value))
        if isinstance(value, str) or name == "replace":
            _charge_growth(name, str(value), args, kwargs)
        _check_numbers(args, kwargs)
        first: tuple[Any, ...] = ()
        if passes is _PassArg.context:
            first = (context,)
        elif passes is _PassArg.eval_context:
            first = (context.eval_ctx,)
        elif passes is _PassArg.environment:
            first = (context.environment,)
        return _paid_for(function(*first, value, *args, **kwargs))

    return paying


def _count(name: str, value: object) -> int:
    """How many values a filter goes through: a text is one, unless its characters are joined."""
    if isinstance(value, Sized) and (name == "join" or not isinstance(value, str)):
        return max(1, len(value))
    return 1


def _tick(_context: Context, value: Any) -> Any:
    current_budget.get().charge(1)
    return value


def _made(_context: Context, value: Any) -> Any:
    current_budget.get().charge_value(value)
    return value


def _concat(_context: Context, parts: list[Any]) -> str:
    current_budget.get().charge_value(parts)
    return "".join(map(str, parts))


def _sliced(_context: Context, value: Any) -> Any:
    current_budget.get().charge(len(value) if isinstance(value, Sized) else 1)
    return value


def _to_json(
    _context: Context,
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """`tojson` as chat templates expect it: neither HTML nor ASCII escapes (transformers)."""
    wide = 1 if indent is None else 1 + min(int(indent), 16)
    between = sum(map(len, separators)) if separators else 0
    current_budget.get().charge_value(value, wide + between)
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=None if indent is None else wide - 1,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> None:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    if len(form) > 200 or re.search(r"%[-_0^#]*\d", form):
        raise SecurityError("A date in this form is not allowed.")
    return datetime.datetime.now().astimezone().strftime(form)
