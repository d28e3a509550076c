"""What ``import riverrun`` gives, and what it does not cost."""

from __future__ import annotations

import subprocess
import sys

import riverrun


def test_every_public_name_can_be_had() -> None:
    assert set(riverrun.__all__) <= set(dir(riverrun))
    for name in riverrun.__all__:
        assert getattr(riverrun, name).__name__ == name


def test_a_name_that_is_not_there_is_told_as_python_does() -> None:
    assert not hasattr(riverrun, "Nothing")


def test_the_import_alone_loads_no_driver_and_no_validator() -> None:
    program = "import riverrun, sys; print(sorted({'psycopg', 'pydantic', 'asyncio', 'aiohttp'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout == "[]\n"


def test_the_decorator_is_a_function_whatever_was_imported_before() -> None:
    program = (
        "import riverrun_executor.executor, riverrun.handlers, riverrun; riverrun.handler('email')(lambda args: None)"
    )

    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
