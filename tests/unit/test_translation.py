"""The sentences of errors in Chinese: each that the API can say is there, and says what the English one does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from riverrun.translation import CHINESE, LONGEST, Catalogue, catalogue_texts, translated
from support.names import ROOT
from support.sentences import templates

PLACE = re.compile(r"{\+?}")
TEXTS = catalogue_texts("riverrun", CHINESE)

SPEAKING = (
    "access", "args_schema", "calls", "cron_grammar", "durations", "egress", "errors", "job_query", "json_input",
    "masking", "names", "new_job", "pauses", "registration", "schedule", "trial", "unique", "store/bulk_operations",
    "store/changing", "store/failures", "store/jobs", "store/listing", "store/queues", "store/registry",
    "store/schedules", "store/tokens",
)  # fmt: skip
"""The modules of the ground whose refusals a request can meet."""

HEARD_IN_A_SHELL = (
    "control", "database/migrate", "database/migration_files", "database/migrator_lock", "database/schema_check",
    "settings/admin", "settings/notifications", "settings/river", "settings/schema", "settings/values", "store/bench",
)  # fmt: skip
"""Those whose refusals only a command can meet."""

NOT_SAID = {
    "{} {} does not exist",  # each kind of thing has a sentence of its own
    "job {} no longer belongs to its attempt {}",
    "resource {}: {}",
    "{}: {}",
    "{reason}",
    "a migration needs a connection in autocommit mode: some of its steps run in no transaction",  # to programmers
    "the answer is not an object",  # a part of another sentence, as the next
    "true and false are not numbers",
    "{}, or {}",  # of what a value may be, as the next: nearly every sentence looks like them
    "{} to be {}",
}


def _speaking() -> list[Path]:
    ground = [ROOT / "core" / "riverrun" / f"{name}.py" for name in SPEAKING]
    return [*ground, *sorted((ROOT / "admin_api" / "riverrun_admin").rglob("*.py"))]


def _heard_in_a_shell() -> list[Path]:
    ground = [ROOT / "core" / "riverrun" / f"{name}.py" for name in HEARD_IN_A_SHELL]
    return [*ground, *sorted((ROOT / "cli" / "riverrun_cli").rglob("*.py"))]


@pytest.mark.parametrize("files", [_speaking, _heard_in_a_shell])
def test_every_sentence_that_somebody_can_be_refused_with_has_its_chinese_one(
    files: Callable[[], list[Path]],
) -> None:
    known = {PLACE.sub("{}", sentence) for sentence in TEXTS}
    said = {sentence for file in files() for sentence in templates(file)}

    assert said - known - NOT_SAID == set()
    assert len(said) > 30


def test_a_translation_has_the_places_of_its_sentence() -> None:
    for sentence, text in TEXTS.items():
        places = re.findall(r"{\d*}", text)

        assert len(places) == len(PLACE.findall(sentence)), sentence
        assert sorted(places) in (["{}"] * len(places), [f"{{{number}}}" for number in range(len(places))]), sentence
        assert re.search(r"[\u4e00-\u9fff]|^ [a-z]", text), sentence


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("job 17 does not exist", "任务 17 不存在"),
        (
            "priority: 10 is not allowed; expected a whole number from 1 (first) to 9",
            "priority：不允许 10；应为 1（最先）到 9 的整数",
        ),
        ("/jobs: this field is required", "/jobs：此字段必填"),
        ("line 3: a line must be a JSON object", "第 3 行：每行必须是一个 JSON 对象"),
        (
            "filter: 'x' is not allowed; expected up to 50 one such term",
            "filter：不允许 'x'；应为最多 50 个一个这样的条件",
        ),
        ("a number of 40 characters is not allowed outside of task_params", "task_params 之外不允许 40 个字符的数字"),
        ("nobody has translated this", "nobody has translated this"),
        ("", ""),
    ],
)
def test_a_sentence_is_said_with_its_values(sentence: str, said: str) -> None:
    assert translated(sentence, CHINESE) == said
    assert translated(sentence, "en") == sentence


def test_a_value_is_left_as_it_is() -> None:
    catalogue = Catalogue({"{} is {+}": "{}是{}", "red": "红", "job": "任务"})

    assert catalogue.say("job is red") == "job是红"
    assert catalogue.say("job is job") == "job是任务"


def test_a_sentence_of_any_length_takes_no_time() -> None:
    assert translated("x: " * LONGEST, CHINESE) == "x: " * LONGEST
    assert translated(": is not allowed; expected " * 60, CHINESE)
