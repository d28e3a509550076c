"""The API says in the language of its reader what it refuses and why; codes and pointers are the same in each."""

from __future__ import annotations

import re
from typing import Any

import pytest

from riverrun_admin.models import Body
from riverrun_admin.operations import BODIES
from support.admin import Admin, Answer

CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}
HAN = re.compile(r"[\u4e00-\u9fff]")
WRONG: tuple[object, ...] = (None, "", " ", -1, 0.5, 10**30, True, [], [1], {}, {"nonsense": 1}, "A b", "x" * 9_000)


async def _post(admin: Admin, path: str, body: object) -> Answer:
    return await admin.post(path, body, headers=CHINESE)


def _sentences(answer: Answer) -> list[str]:
    """Return what a refusal says, apart from a count of its errors."""
    return [error["detail"] for error in answer.json.get("errors", ())] or [answer.json["detail"]]


def _wrong(model: type[Body]) -> list[dict[str, Any]]:
    """Return bodies with every field of a model, each time with other values that it mostly does not allow."""
    return [dict.fromkeys([*model.model_fields, "nonsense"], value) for value in WRONG] + [{}]


async def test_whatever_a_body_has_wrong_is_said_in_chinese(admin: Admin) -> None:
    english: set[str] = set()
    for (method, template), model in BODIES.items():
        path = template.replace("{job_id}", "1")
        for body in _wrong(model):
            answer = await admin.request(method, path, json=body, headers=CHINESE)
            if answer.status >= 400:
                english.update(sentence for sentence in _sentences(answer) if not HAN.search(sentence))

    assert english == set()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/admin/queue/jobs/17", None, 404, "任务 17 不存在"),
        ("GET", "/nowhere", None, 404, "此路径不存在"),
        (
            "GET",
            "/admin/queue/jobs?cursor=x",
            None,
            400,
            "cursor：不允许 'x'；应为相同过滤条件的上一页给出的 next_cursor",
        ),
        ("GET", "/admin/queue/jobs?filter=state:lost", None, 422, "?filter.state：不允许 'lost'；应为"),
        ("POST", "/admin/queue/pause", {"queue": "nobody"}, 404, "队列 nobody 不存在"),
        (
            "POST",
            "/admin/queue/enqueue",
            {"task_type": "email", "priority": 10},
            422,
            "priority：不允许 10；应为 1（最先）到 9 的整数",
        ),
        ("PATCH", "/healthz", None, 405, "此处不允许 PATCH；请使用 GET, HEAD"),
    ],
)
async def test_a_refusal_is_said_in_the_language_of_the_reader(
    admin: Admin, method: str, path: str, body: object, status: int, said: str
) -> None:
    chinese = await admin.request(method, path, json=body, headers=CHINESE)
    english = await admin.request(method, path, json=body)

    assert chinese.status == english.status == status
    assert chinese.json["detail"].startswith(said)
    assert not HAN.search(english.text)
    assert chinese.json["code"] == english.json["code"]


async def test_each_of_several_jobs_has_its_reason_in_chinese(admin: Admin) -> None:
    answer = await _post(admin, "/admin/queue/cancel", {"job_ids": [999_999]})

    assert answer.json["results"] == [
        {"job_id": 999_999, "ok": False, "code": "not-found", "detail": "任务 999999 不存在"}
    ]


async def test_a_warning_is_said_in_chinese(admin: Admin) -> None:
    answer = await _post(admin, "/admin/queue/enqueue", {"task_type": "email", "queue": "mail"})

    assert answer.json["warning"] == "当前没有执行器服务队列 mail；任务会等到有执行器为止"


async def test_a_page_says_in_its_own_language_what_is_wrong(admin: Admin) -> None:
    page = await admin.page("/admin/queue/jobs/17?lang=zh-CN")

    assert page.status == 404
    assert "任务 17 不存在" in page.text
