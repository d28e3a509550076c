"""The pages tell the truth: what they name exists, what they link to is there, and both languages say the same."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

import riverrun
from riverrun.settings.load import load
from riverrun_admin.roles import ROLES
from riverrun_supervisor.greeting import greeting
from support.names import ROOT, check_command, is_setting, is_variable, metric_names, metrics_in, tables_and_packages

COMPONENTS = ["admin_api", "cli", "core", "deploy", "executor", "scheduler", "sql", "supervisor"]
FOLDERS = [
    ROOT,
    *(ROOT / name for name in COMPONENTS),
    ROOT / "docs",
    ROOT / "docs" / "decisions",
    ROOT / "examples" / "handlers",
]
PAGES = sorted(page for folder in FOLDERS for page in folder.glob("*.md"))
CHINESE = ".zh-CN.md"
TWINS = [(page.with_name(page.name.replace(CHINESE, ".md")), page) for page in PAGES if page.name.endswith(CHINESE)]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
both_languages = pytest.mark.parametrize(
    ("english", "chinese"), TWINS, ids=[str(english.relative_to(ROOT)) for english, _ in TWINS]
)


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = [
        target
        for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(page.read_text(encoding="utf-8")))
        if not re.match(r"[a-z]+:", target) and not _leads_somewhere(page, target)
    ]

    assert broken == []


@every_page
def test_every_command_exists_with_its_options(page: Path) -> None:
    for words in _commands(page.read_text(encoding="utf-8")):
        check_command(words)


@every_page
def test_every_setting_exists(page: Path) -> None:
    sections = "postgresql|river|admin|handlers|schedules|log|embedded|notifications"
    named = re.findall(rf"`((?:{sections})\.[a-z_.<>]+)`", page.read_text(encoding="utf-8"))
    files = (".py", ".sql", ".log", ".md", ".yaml")

    assert [key for key in named if not key.endswith(files) and not is_setting(key.split("."))] == []


@every_page
def test_every_environment_variable_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\bRIVERRUN_[A-Z0-9_]*[A-Z0-9]\b", text)
    internal = {"RIVERRUN_PIPE_FD"}  # named once, among those that are no settings

    assert [name for name in named if not is_variable(name) and name not in internal] == []


@every_page
def test_every_name_with_our_prefix_is_a_metric_a_table_or_a_package(page: Path) -> None:
    assert metrics_in(page.read_text(encoding="utf-8")) - metric_names() - tables_and_packages() == set()


@every_page
def test_every_path_of_the_api_is_served(page: Path) -> None:
    served = [re.compile(re.sub(r"/\{\w+\}", r"(/[^/]+)?", path)) for _, path in ROLES]
    named = re.findall(r"(?<![\w.])/admin/[a-z_/.]+[a-z]", page.read_text(encoding="utf-8"))

    assert [path for path in named if not any(route.fullmatch(path) for route in served)] == []


@every_page
def test_python_examples_are_python_and_use_public_names(page: Path) -> None:
    for example in _blocks(page.read_text(encoding="utf-8"), "python"):
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom) and node.module == "riverrun":
                assert [alias.name for alias in node.names if not hasattr(riverrun, alias.name)] == []


@pytest.mark.parametrize("page", ["README.md", "docs/quick-start.md"])
def test_yaml_examples_are_configurations_that_can_be_used(page: str, tmp_path: Path) -> None:
    for number, example in enumerate(_blocks((ROOT / page).read_text(encoding="utf-8"), "yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(example, encoding="utf-8")

        assert set(yaml.safe_load(example)) <= load(file, environ={}, flags={}).settings.model_fields_set


@both_languages
def test_both_languages_have_the_same_headings_entries_and_rows(english: Path, chinese: Path) -> None:
    begun = r"^ *(#+|[-*|]|\d+\.)(?= )"
    outlines = [
        re.findall(begun, _without_code(page.read_text(encoding="utf-8")), re.MULTILINE) for page in (english, chinese)
    ]

    assert outlines[0] == outlines[1]


@both_languages
def test_both_languages_have_the_same_code(english: Path, chinese: Path) -> None:
    remark_or_place = r"\s*# .*|<[^<>\n]*>"
    blocks = [
        [
            re.sub(remark_or_place, "", block)
            for block in re.findall(r"```.*?```", page.read_text(encoding="utf-8"), re.DOTALL)
        ]
        for page in (english, chinese)
    ]

    assert blocks[0] == blocks[1]


@both_languages
def test_both_languages_name_the_same_settings_and_commands(english: Path, chinese: Path) -> None:
    named = [
        sorted(re.findall(r"`((?:queuectl|river|admin|postgresql)[ .][^`]*)`", page.read_text(encoding="utf-8")))
        for page in (english, chinese)
    ]

    assert named[0] == named[1]


def test_every_twin_is_compared() -> None:
    names = {chinese.name for _, chinese in TWINS}

    assert names >= {"CHANGELOG.zh-CN.md", "README.zh-CN.md", "http-api.zh-CN.md", "client.zh-CN.md"}


def test_the_readme_shows_what_the_daemon_greets_with() -> None:
    settings = load(ROOT / "config.example.yaml", environ={}, flags={}).settings

    assert greeting(settings).strip("\n") in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_changelog_has_the_present_version() -> None:
    assert riverrun.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_component_has_a_page(component: str) -> None:
    assert (ROOT / component / "README.md").is_file()


def _leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = unquote(target).partition("#")
    file = (page.parent / path) if path else page
    if not file.exists():
        return False
    return not anchor or anchor in _anchors(file.read_text(encoding="utf-8"))


def _anchors(text: str) -> set[str]:
    """Return the anchors that a heading gets where Markdown is shown: lower case, spaces as dashes, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", _without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the words after ``queuectl`` of every command shown, in blocks and within sentences."""
    shell = "\n".join([*_blocks(text, "bash"), *_blocks(text, "text")]).replace("\\\n", " ")
    lines = re.findall(r"^(?:[A-Z_]+=\S+ )*(?:/opt/riverrun/bin/)?queuectl +(.+)$", shell, re.MULTILINE)
    within = re.findall(r"`(?:[A-Z_]+=\S+ )*queuectl +([^`]+)`", _without_code(text))
    for command in (*lines, *within):
        yield shlex.split(command, comments=True)


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def _without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
