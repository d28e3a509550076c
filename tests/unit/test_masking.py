"""What is hidden of jobs, and that everything beside it stays as it was, digit by digit."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.errors import InvalidInput
from riverrun.masking import Mask, check_shown

MASK = Mask(["password", "api_key"], [r"[0-9]{13,19}", r"(?i)bearer \S+"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"password": "x", "n": 1.10}', '{"password": "***", "n": 1.10}'),
        ('{"user_Password_hash": [1, {"a": "]"}], "b": 2}', '{"user_Password_hash": "***", "b": 2}'),
        ('{"a": {"ApiKey": {"deep": [1, 2]}}, "z": null}', '{"a": {"ApiKey": "***"}, "z": null}'),
        ('{"api\\u005fkey":"x"}', '{"api\\u005fkey":"***"}'),
        ('{"card": "4111111111111111", "x": "a\\"b"}', '{"card": "***", "x": "a\\"b"}'),
        ('["Bearer abc def"]', '["*** def"]'),
        ('{"password": {}}', '{"password": "***"}'),
        ('{"a": "password"}', '{"a": "password"}'),
        ('{"password"', '{"password"'),
        ("", ""),
    ],
)
def test_only_what_is_hidden_is_replaced(text: str, shown: str) -> None:
    assert MASK.json_text(text) == shown


def test_without_patterns_text_with_no_hidden_name_is_not_even_looked_at() -> None:
    text = '{"n": 12345678901234567890.10, "s": "\\u0041"}'

    assert Mask(["password"]).json_text(text) is text


def test_metadata_is_hidden_the_same_way() -> None:
    assert MASK.value({"a": [{"password": 1}], "b": "4111111111111111", "c": 5}) == {
        "a": [{"password": "***"}],
        "b": "***",
        "c": 5,
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("password"), inner),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_the_text_and_the_value_are_hidden_alike(value: object, ascii_only: bool) -> None:
    mask = Mask(["password"], ["ab+"])

    assert json.loads(mask.json_text(json.dumps(value, ensure_ascii=ascii_only))) == mask.value(value)


@pytest.mark.parametrize(
    "stored",
    [
        '{"password": "hunter2"}',
        '{"to": "Bearer abc def", "n": 1}',
        '{"lines": ["paid with 4111111111111111 on Monday", "***"]}',
        '{"a": {"b": ["\\u0031234567890123456"]}}',
    ],
)
def test_what_was_shown_with_a_part_hidden_is_not_taken_for_the_whole(stored: str) -> None:
    with pytest.raises(InvalidInput, match=r"^args: '\*\*\*' is not allowed; expected arguments without \*\*\*, which"):
        check_shown(MASK.json_text(stored), "args", stored=stored)


@pytest.mark.parametrize(
    ("changed", "stored"),
    [
        ('{"to": "b"}', '{"password": "hunter2"}'),
        ('{"text": "*** urgent ***", "n": 2}', '{"text": "*** urgent ***", "n": 1}'),
        ('{"text": "* * *"}', "{}"),
        ('{"n": 1}', '{"text": "***"}'),
    ],
)
def test_a_sign_that_the_job_has_itself_hides_nothing(changed: str, stored: str) -> None:
    check_shown(changed, "args", stored=stored)
