"""Signatures as Standard Webhooks has them, and tokens for callbacks that nobody else can make."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from riverrun.webhook import (
    SECRET_BYTES,
    Credentials,
    Fence,
    callback_token,
    is_genuine,
    new_secret,
    signature,
    token_fence,
)

FENCE = Fence(7, 2, 1_767_323_045_000_000)
NUMBER = st.integers(0, 10**18)


def test_a_secret_has_the_form_and_the_length_of_the_standard() -> None:
    secrets = {new_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert all(secret.startswith("whsec_") for secret in secrets)
    assert {len(base64.b64decode(secret[6:], validate=True)) for secret in secrets} == {SECRET_BYTES}


def test_the_example_of_the_standard_has_its_signature() -> None:
    signed = signature(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1_614_265_330,
        body=b'{"test": 2432232314}',
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_the_published_library_verifies_with_either_secret(document: dict[str, object]) -> None:
    new, old = new_secret(), new_secret()
    body, now = json.dumps(document).encode(), int(datetime.now(UTC).timestamp())
    signed = signature([new, old], message_id="job_7", timestamp=now, body=body)
    headers = {"webhook-id": "job_7", "webhook-timestamp": str(now), "webhook-signature": signed}

    assert [Webhook(secret).verify(body, headers) for secret in (new, old)] == [document, document]


@given(NUMBER, st.integers(0, 32_767), NUMBER)
def test_a_token_names_the_attempt_it_was_made_for(job_id: int, attempt: int, fence_us: int) -> None:
    fence = Fence(job_id, attempt, fence_us)
    token = callback_token("key", fence)

    assert token_fence(token) == fence
    assert is_genuine("key", token)
    assert not is_genuine("another key", token)
    assert not is_genuine("key", callback_token("key", fence._replace(attempt=attempt + 1))[:-1] + "=")


@given(st.integers(0, len(callback_token("key", FENCE)) - 1), st.sampled_from("0189AZaz-_."))
def test_no_token_survives_a_change_of_one_character(place: int, character: str) -> None:
    token = callback_token("key", FENCE)
    changed = token[:place] + character + token[place + 1 :]

    assert is_genuine("key", changed) == (changed == token)


END = "A" * 43


@pytest.mark.parametrize(
    "text", ["", ".", "7.2.3", f"7.2.3.{END[1:]}", f"7.2.3.{END}A", f"-7.2.3.{END}", f"٧.2.3.{END}"]
)
def test_what_is_no_token_names_no_attempt(text: str) -> None:
    assert token_fence(text) is None
    assert not is_genuine("key", text)


def test_credentials_are_never_shown() -> None:
    assert "whsec" not in f"{Credentials(('whsec_abc',), 'key')!r} {Credentials(('whsec_abc',), 'key')}"
