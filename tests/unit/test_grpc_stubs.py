"""The stubs in the tree are those of the contract in the tree, and nobody loads them who does not call a service."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

EXECUTOR = Path(__file__).parents[2] / "executor"
CONTRACT = Path("riverrun_executor", "proto", "riverrun", "v1", "handler.proto")


def test_the_stubs_are_generated_from_the_contract(tmp_path: Path) -> None:
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", *outputs, str(CONTRACT)]
    subprocess.run(command, cwd=EXECUTOR, check=True, timeout=30)

    generated = {path.name: path.read_text() for path in (tmp_path / CONTRACT).parent.iterdir()}
    kept = {path.name: path.read_text() for path in (EXECUTOR / CONTRACT).parent.glob("handler_pb2*.py*")}

    assert kept == generated, "run `make proto`"


@pytest.mark.parametrize(
    "module",
    [
        "riverrun.client",
        "riverrun_admin.app",
        "riverrun_cli.main",
        "riverrun_executor.executor",
        "riverrun_scheduler.leader",
        "riverrun_supervisor.main",
    ],
)
def test_a_process_that_calls_no_service_never_loads_grpc(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'grpc', 'google.protobuf'}} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, timeout=30, capture_output=True, text=True).stdout

    assert loaded == "[]\n"
    assert importlib.util.find_spec("grpc") is not None
