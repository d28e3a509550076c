"""The description of the HTTP API, in both languages: every path, field and error code stands in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from riverrun_admin import models
from riverrun_admin.pages.texts import catalog
from riverrun_admin.roles import ROLES

DOCS = Path(__file__).parents[2] / "docs"
FILES = ("http-api.md", "http-api.zh-CN.md")
WAYS_IN = ("/", "/admin", "/admin/")
NOT_FOR_PROGRAMS = ("/admin/form/", "/admin/page/", "/admin/static/", "/admin/problems/", "/robots.txt")


@pytest.mark.parametrize("file", FILES)
def test_every_path_is_described(file: str) -> None:
    text = (DOCS / file).read_text()

    for _, path in ROLES:
        if path not in WAYS_IN and not path.startswith(NOT_FOR_PROGRAMS):
            folder, _, verb = path.rpartition("/")
            assert path in text or (folder in text and f"/{verb}`" in text), path


@pytest.mark.parametrize("file", FILES)
def test_every_field_is_described(file: str) -> None:
    text = (DOCS / file).read_text()

    for model in (models.EnqueueBody, models.UniqueBody, models.HandlerBody, models.ScheduleBody, models.ScaleBody):
        for name in model.model_fields:
            assert name in text, (model.__name__, name)


@pytest.mark.parametrize("file", FILES)
def test_every_error_code_is_described(file: str) -> None:
    text = (DOCS / file).read_text()

    for key in catalog("en"):
        if key.startswith("problem.") and key != "problem.http":
            assert f"`{key.removeprefix('problem.')}`" in text, key


def test_both_languages_have_the_same_commands() -> None:
    english, chinese = (_blocks((DOCS / file).read_text(), "bash") for file in FILES)

    assert english == chinese


def _blocks(text: str, language: str) -> list[str]:
    return [part.partition("```")[0] for part in text.split(f"```{language}\n")[1:]]
