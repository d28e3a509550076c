"""What a handler is called with, by its signature, and which signatures are refused when they are registered."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, field_validator
from typing_extensions import TypedDict

from riverrun import Context
from riverrun.functions import is_async, named
from riverrun.signature import InvalidArguments, arguments_of
from support.attempts import claimed, context_of

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass
class Email:
    to: str
    subject: str = "none"
    tags: list[str] = field(default_factory=list)


class Model(BaseModel):
    number: int
    secret: str = ""

    @field_validator("secret")
    @classmethod
    def check(cls, value: str) -> str:
        if value == "wrong":
            raise ValueError("not the secret")
        return value


class Typed(TypedDict):
    number: int


def nothing() -> None: ...
def args_only(args: dict[str, Any]) -> None: ...
def unannotated(args) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001 - such handlers must work
def any_mapping(args: Mapping[str, object]) -> None: ...
def unannotated_context(ctx) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001 - such handlers must work
def context_only(context: Context) -> None: ...
def context_under_any_name(c: Context) -> None: ...
def context_or_none(c: Context | None = None) -> None: ...
def args_then_context(email: Email, ctx: Context) -> None: ...
def context_then_args(ctx: Context, email: Email) -> None: ...
def positional_only(email: Email, ctx: Context, /) -> None: ...
def optional_keyword(email: Email, *, retries: int = 3, **others: object) -> None: ...
def as_text(args: str) -> None: ...
def as_bytes(args: bytes) -> None: ...
def as_model(args: Model) -> None: ...
def as_typed_dict(args: Typed) -> None: ...
def as_dict_of_numbers(args: dict[str, int]) -> None: ...
def ctx_annotated_otherwise(ctx: dict[str, Any]) -> None: ...


CTX = object()
NO_INTEGER = "Input should be a valid integer, unable to parse string as an integer"


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (nothing, "{}", []),
        (args_only, '{"a": 1}', [{"a": 1}]),
        (unannotated, '{"a": 1}', [{"a": 1}]),
        (any_mapping, '{"a": 12345678901234567890123}', [{"a": 12345678901234567890123}]),
        (unannotated_context, "{}", [CTX]),
        (context_only, "{}", [CTX]),
        (context_under_any_name, "{}", [CTX]),
        (context_or_none, "{}", [CTX]),
        (args_then_context, '{"to": "a", "subject": "b"}', [Email("a", "b"), CTX]),
        (context_then_args, '{"to": "a", "tags": ["x"]}', [CTX, Email("a", tags=["x"])]),
        (positional_only, '{"to": "a", "unknown": 1}', [Email("a"), CTX]),
        (optional_keyword, '{"to": "a"}', [Email("a")]),
        (functools.partial(args_then_context, ctx=context_of(claimed())), '{"to": "a"}', [Email("a")]),
        (as_text, '{"big": 1234567890123456789012345, "f": 1.10}', ['{"big": 1234567890123456789012345, "f": 1.10}']),
        (as_bytes, '{"a": "é"}', ['{"a": "é"}'.encode()]),
        (as_model, '{"number": 123456789012345678901234567890}', [Model(number=123456789012345678901234567890)]),
        (as_typed_dict, '{"number": 1}', [{"number": 1}]),
        (as_dict_of_numbers, '{"a": 1}', [{"a": 1}]),
        (ctx_annotated_otherwise, '{"a": 1}', [{"a": 1}]),
    ],
)
def test_a_function_gets_what_its_signature_asks_for(
    function: Callable[..., object], args: str, expected: list[object]
) -> None:
    job = claimed(args)
    context = context_of(job)

    given = arguments_of(function)(job, context)

    assert given == [context if value is CTX else value for value in expected]


@pytest.mark.parametrize(
    ("function", "args", "said"),
    [
        (args_then_context, "{}", "to: Field required"),
        (args_then_context, '{"to": {"secret": "s3cr3t"}}', "to: Input should be a valid string"),
        (as_model, '{"number": "s3cr3t"}', f"number: {NO_INTEGER}"),
        (as_model, '{"number": 1, "secret": "wrong"}', "secret: Value error, not the secret"),
        (as_typed_dict, "[]", "args: Input should be an object"),
        (as_dict_of_numbers, '{"a": "x", "b": "y"}', f"a: {NO_INTEGER}; b: {NO_INTEGER}"),
    ],
)
def test_arguments_that_do_not_fit_are_named_but_not_repeated(
    function: Callable[..., object], args: str, said: str
) -> None:
    job = claimed(args)

    with pytest.raises(InvalidArguments) as refusal:
        arguments_of(function)(job, context_of(job))

    assert str(refusal.value) == said
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__


def two_arguments(a: dict[str, Any], b: dict[str, Any]) -> None: ...
def two_contexts(a: Context, b: Context) -> None: ...
def three(a: Email, ctx: Context, b: int = 1) -> None: ...
def required_keyword(args: Email, *, retries: int) -> None: ...
def swallows_everything(*args: object, **kwargs: object) -> None: ...
def foreign_class(args: Foreign) -> None: ...
def unresolved(args: Decimal) -> None: ...


class Foreign:
    """Nothing that JSON could become."""


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (two_arguments, "each at most once"),
        (two_contexts, "each at most once"),
        (three, "must be keyword-only and optional"),
        (required_keyword, "parameter retries can never be given; make it optional"),
        (swallows_everything, r"\*args says nothing; a decorator needs functools.wraps"),
        (
            foreign_class,
            "arguments cannot be read as <class '.*Foreign'>, and no resource gives it: Unable to generate",
        ),
        (
            unresolved,
            "an annotation cannot be resolved: name 'Decimal' is not defined; import it outside of TYPE_CHECK",
        ),
    ],
)
def test_a_signature_that_cannot_be_called_is_refused_with_the_name_of_its_function(
    function: Callable[..., object], said: str
) -> None:
    with pytest.raises(TypeError, match=said) as refusal:
        arguments_of(function)

    assert str(refusal.value).startswith(f"{function.__module__}.{function.__qualname__}: ")


async def coroutine_function() -> None: ...


class AsyncObject:
    async def __call__(self, email: Email, ctx: Context) -> None: ...


class PlainObject:
    def __call__(self, email: Email) -> None: ...

    async def method(self, email: Email) -> None: ...


@functools.wraps(coroutine_function)
def forgets_async() -> object:
    return coroutine_function()


@pytest.mark.parametrize(
    ("function", "expected", "name"),
    [
        (nothing, False, "nothing"),
        (lambda: None, False, "<lambda>"),
        (coroutine_function, True, "coroutine_function"),
        (functools.partial(functools.partial(coroutine_function)), True, "coroutine_function"),
        (functools.partial(nothing), False, "nothing"),
        (AsyncObject(), True, "AsyncObject.__call__"),
        (functools.partial(AsyncObject()), True, "AsyncObject.__call__"),
        (PlainObject(), False, "PlainObject.__call__"),
        (PlainObject().method, True, "PlainObject.method"),
        (forgets_async, False, "coroutine_function"),
    ],
)
def test_it_is_known_where_a_function_runs(function: Callable[..., object], expected: bool, name: str) -> None:
    assert is_async(function) is expected
    assert named(function).endswith(f"test_signature.{name}")


def test_objects_are_called_by_the_signature_of_their_call() -> None:
    job = claimed({"to": "a"})
    context = context_of(job)

    assert arguments_of(AsyncObject())(job, context) == [Email("a"), context]
    assert arguments_of(PlainObject().method)(job, context) == [Email("a")]
    assert arguments_of(functools.partial(AsyncObject()))(job, context) == [Email("a"), context]


def yields() -> Iterator[int]:
    yield 1


async def yields_async() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [yields, yields_async, functools.partial(yields), AsyncObject])
def test_what_would_run_nothing_is_refused(function: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="expected a function that returns, neither a class nor a generator"):
        is_async(function)
