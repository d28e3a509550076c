"""``queuectl handler run`` tries a function without a queue."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import riverrun

@riverrun.resource
def factor() -> int:
    return 2

@riverrun.handler("double")
def double(args: dict[str, int], factor, ctx: riverrun.Context):
    ctx.log.info("doubling")
    yield 0.5, "half way"
    return args["number"] * factor

@riverrun.handler("hang", timeout=0.2)
async def hang() -> None:
    import asyncio
    await asyncio.sleep(60)
"""


@pytest.mark.parametrize(
    ("kind", "args", "code", "said"),
    [
        ("double", '{"number": 21}', 0, '"output": 42'),
        ("double", "{}", 8, "KeyError: 'number'"),
        ("hang", "{}", 8, "the handler did not finish within 0.2 s"),
        ("double", "[1]", 2, "ARGS: expected a JSON object"),
        ("double", "{", 2, "ARGS: expected a JSON object"),
        ("triple", "{}", 3, "KIND: no configured module exports 'triple'; there are double, hang"),
    ],
)
def test_a_function_is_tried_without_a_queue(tmp_path: Path, kind: str, args: str, code: int, said: str) -> None:
    (tmp_path / "tried.py").write_text(MODULE)
    env = {**os.environ, "RIVERRUN_HANDLERS__PATH": str(tmp_path), "RIVERRUN_HANDLERS__MODULES": "tried"}
    queuectl = [sys.executable, "-c", "from riverrun_cli.main import main; main()"]

    done = subprocess.run(
        [*queuectl, "handler", "run", kind, args],
        check=False, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=30,
    )  # fmt: skip

    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    if code in (0, 8):
        assert json.loads(done.stdout)["outcome"] == ("completed" if code == 0 else "failed")
