"""What a handler's signature asks for, read once when it is registered, so that a wrong one is told at once."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, get_args, get_type_hints

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.json_schema import PydanticJsonSchemaWarning

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.functions import code_of, named
from riverrun.resources import Resource, wanted

Maker: TypeAlias = Callable[[ClaimedJob, Context], object]

_PLAIN = (inspect.Parameter.empty, Any, object, dict, Mapping, dict[str, Any], Mapping[str, Any], dict[str, object])


class InvalidArguments(Exception):
    """The arguments of a job are not what its handler takes; the message says why without repeating them."""


def arguments_of(function: Callable[..., object]) -> Callable[[ClaimedJob, Context], list[object]]:
    """Return what builds the positional arguments of ``function``, by its signature.

    What is returned raises `InvalidArguments` for a job that the function cannot take.

    Raises:
        TypeError: The function cannot be called with arguments and a context.
    """
    hints = _hints(function)
    makers: list[Maker] = []
    shared = 0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            raise TypeError(f"{named(function)}: *{parameter.name} says nothing; a decorator needs functools.wraps")
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise TypeError(f"{named(function)}: parameter {parameter.name} can never be given; make it optional")
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            hint = hints.get(parameter.name, parameter.empty)
            if (resource := wanted(parameter.name, hint)) is not None:
                makers.append(_shared(resource))
                shared += 1
            else:
                makers.append(_context if _is_context(parameter.name, hint) else _args_maker(function, hint))
    own = len(makers) - shared
    if own > 2 or (own == 2 and makers.count(_context) != 1):
        raise TypeError(
            f"{named(function)}: a handler takes its arguments and a Context, each at most once, and resources that "
            "were defined before; what else it has must be keyword-only and optional"
        )
    return lambda job, context: [make(job, context) for make in makers]


def schema_of(function: Callable[..., object]) -> str | None:
    """Return the JSON Schema of the arguments that ``function`` takes, as text; None when its signature has none."""
    hints = _hints(function)
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name, parameter.empty)
        if wanted(parameter.name, hint) is not None or _is_context(parameter.name, hint):
            continue
        if hint in (str, bytes, *_PLAIN):
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PydanticJsonSchemaWarning)  # a default that is not JSON is left out
                schema = TypeAdapter(hint).json_schema()
        except PydanticUserError:
            return None  # a type that JSON Schema has no words for
        return json.dumps(schema) if schema.get("type") == "object" else None
    return None


def resources_of(function: Callable[..., object]) -> tuple[Resource, ...]:
    """Return the resources that a handler takes."""
    hints = _hints(function)
    parameters = inspect.signature(function).parameters.values()
    found = (wanted(parameter.name, hints.get(parameter.name, parameter.empty)) for parameter in parameters)
    return tuple(each for each in found if each is not None)


def _shared(resource: Resource) -> Maker:
    return lambda *_: resource.value


def _context(_: ClaimedJob, context: Context) -> Context:
    return context


def _is_context(name: str, hint: object) -> bool:
    """Return whether a parameter takes the context: by its annotation, or by its name when it has none."""
    return Context in (hint, *get_args(hint)) or (hint is inspect.Parameter.empty and name in {"ctx", "context"})


def _args_maker(function: Callable[..., object], hint: Any) -> Maker:
    """Return what turns the arguments of a job into the type a function asks for."""
    if hint is str:
        return lambda job, _: job.args_text
    if hint is bytes:
        return lambda job, _: job.args_text.encode()
    if hint in _PLAIN:
        return lambda job, _: job.args
    try:
        adapter = TypeAdapter(hint)
    except Exception as error:
        # Pydantic says at length what it cannot do, and raises errors of many types.
        reason = str(error).partition("\n")[0]
        raise TypeError(
            f"{named(function)}: arguments cannot be read as {hint!r}, and no resource gives it: {reason}"
        ) from error

    def validated(job: ClaimedJob, _: Context) -> object:
        try:
            return adapter.validate_json(job.args_text)
        except ValidationError as error:
            raise InvalidArguments(_problems(error)) from None  # the error quotes the arguments

    return validated


def _problems(error: ValidationError) -> str:
    """Say what is wrong with the arguments without repeating their values, which may be secret."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'args'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    try:
        return get_type_hints(code_of(function))
    except NameError as error:
        reason = f"an annotation cannot be resolved: {error}; import it outside of TYPE_CHECKING"
        raise TypeError(f"{named(function)}: {reason}") from error
