"""JSON text as Go writes it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverrun.errors import InvalidInput
from riverrun.go_json import parse, write, write_key, write_number


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0", "0"),
        ("-0", "-0"),
        ("-0.0", "-0"),
        ("0.0e5", "0"),
        ("42", "42"),
        ("1.0", "1"),
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("1E+2", "100"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("1.5e-07", "1.5e-7"),
        ("-1.5e-9", "-1.5e-9"),
        ("1e-320", "1e-320"),
        ("1e20", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("123456789012345680000", "123456789012345680000"),
        ("1.2345e+21", "1.2345e+21"),
        ("1e100", "1e+100"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("0.1000000000000000000000001", "0.1000000000000000000000001"),
        ("1e400", "1e400"),
        ("1e-400", "1e-400"),
        ("1e-99999999999999999999", "1e-99999999999999999999"),
        ("1e99999999999999999999", "1e99999999999999999999"),
        ("9007199254740993.0", "9007199254740993.0"),
    ],
)
def test_a_number_is_written_as_go_writes_it_and_never_loses_a_digit(written: str, expected: str) -> None:
    assert write_number(written) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a>&", r'"\u003ca\u003e\u0026"'),
        ("\u2028\u2029", r'"\u2028\u2029"'),
        ("\b\f\n\r\t", r'"\b\f\n\r\t"'),
        ("\x00\x1f", r'"\u0000\u001f"'),
        ('"\\/', r'"\"\\/"'),
        ("é 你 😀 \x7f", '"é 你 😀 \x7f"'),
        ("\ud800", r'"\ufffd"'),
    ],
)
def test_a_string_is_escaped_as_go_escapes_it(text: str, expected: str) -> None:
    assert write(text) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [("a<b>&c", '"a<b>&c"'), ("é<", '"é\\u003c"'), ('a"<', '"a\\"\\u003c"'), ("\\", '"\\\\"'), ("\t", '"\\t"')],
)
def test_a_name_of_printable_ascii_is_not_escaped(key: str, expected: str) -> None:
    assert write_key(key) == expected


def test_nested_members_keep_their_order_and_duplicates() -> None:
    text = ' { "z" : [ 1.0 , true , null , { } ] , "a" : { "<" : false , "<" : "x" } } '

    assert write(parse(text, "args")) == '{"z":[1,true,null,{}],"a":{"\\u003c":false,"\\u003c":"x"}}'


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "{'a':1}", "[" * 100_000, "[1,]", "01"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text, "args")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_json)
def test_writing_keeps_the_value_and_is_stable(value: object) -> None:
    text = json.dumps(value)

    written = write(parse(text, "args"))

    # As floats: Go writes 4.956366242585251e+16 as 49563662425852510, an integer to Python.
    assert json.loads(written, parse_int=float) == json.loads(text, parse_int=float)
    assert write(parse(written, "args")) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_reads_back_as_itself(number: float) -> None:
    written = write_number(repr(number))

    assert float(written) == number
    assert ("e" in written) == (number != 0 and not 1e-6 <= abs(number) < 1e21)
