"""The pages: every one in both languages, whatever text jobs bring along, and the forms on them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb
from yarl import URL

from support.admin import Admin
from support.jobs import ago, insert, job

PAGES = [
    "/admin/queue/dashboard",
    "/admin/queue/stats",
    "/admin/queue/jobs",
    "/admin/queue/list",
    "/admin/handler/list",
    "/admin/schedule/list",
    "/admin/server/list",
    "/admin/problems/validation",
]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</textarea></pre></title><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202e\u2028\u2029<b>",
]
VOID = {"meta", "link", "input", "br", "img"}


class _Elements(HTMLParser):
    """Collects the elements of a page, and checks that each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def elements(html: str) -> _Elements:
    """Return the elements of a page.

    Raises:
        AssertionError: One is not closed, or a page has script or style of its own.
    """
    parser = _Elements()
    parser.feed(html)
    assert not parser.open
    for tag, attributes in parser.found:
        assert tag not in {"script", "style", "iframe", "object", "img", "b"}, tag
        assert not [name for name in attributes if name.startswith("on") or name == "style"], attributes
        assert not (attributes.get("href") or "").lower().startswith("javascript:")
    return parser


async def _hostile_jobs(conn: AsyncConnection[TupleRow]) -> list[int]:
    ids = []
    for text in HOSTILE:
        error = {"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": text, "trace": text}
        row = await conn.execute(
            "INSERT INTO river_job (kind, args, queue, tags, errors, metadata, state, finalized_at, max_attempts)"
            " VALUES (%s, %s, %s, %s, ARRAY[%s], %s, 'discarded', now(), 3) RETURNING id",
            (text, Jsonb({text: text}), text, [text], Jsonb(error), Jsonb({"output": text, text: text})),
        )
        ids += [found[0] for found in await row.fetchall()]
        await conn.execute(
            "INSERT INTO riverrun_server (server_id, host, pid, version, roles) VALUES (%s, %s, 1, %s, '{}')",
            (text[:60], text, text),
        )
        await conn.execute(
            "INSERT INTO riverrun_handler (kind, handler_name, handler_type, endpoint_url, description)"
            " VALUES (%s, %s, 'http', %s, %s)",
            (text, text, text, text),
        )
        await conn.execute(
            "INSERT INTO riverrun_schedule (name, kind, expression, timezone, queue, source)"
            " VALUES (%s, %s, %s, %s, %s, 'api')",
            (text, text, text, text, text),
        )
    return ids


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_no_text_of_a_job_becomes_part_of_a_page(
    admin: Admin, conn: AsyncConnection[TupleRow], language: str
) -> None:
    ids = await _hostile_jobs(conn)

    for path in [*PAGES, *(f"/admin/queue/jobs/{job_id}" for job_id in ids), "/admin/queue/jobs?state=discarded"]:
        answer = await admin.page(path, **{"Accept-Language": language})

        assert answer.status == 200, path
        assert f'<html lang="{language}">' in answer.text
        assert "49" not in re.findall(r"<pre[^>]*>(.*?)</pre>", answer.text)
        elements(answer.text)


async def test_arguments_are_shown_digit_by_digit(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    job_id = await insert(conn, args='{"n": 1.10, "big": 123456789012345678901234567890, "s": "a: [1, {2}]\\u0001"}')

    answer = await admin.page(f"/admin/queue/jobs/{job_id}")

    text = elements(answer.text).text
    assert '"n": 1.10' in text
    assert '"big": 123456789012345678901234567890' in text
    assert '"s": "a: [1, {2}]\\u0001"' in text


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_speaks_both_languages_and_works_below_a_prefix(admin: Admin, path: str) -> None:
    english = await admin.page(path)
    chinese = await admin.page(f"{path}?lang=zh-CN")
    by_browser = await admin.page(path, **{"Accept-Language": "fr, zh-Hans;q=0.9, en;q=0.8"})
    by_cookie = await admin.page(path, Cookie="riverrun_lang=zh-CN")

    assert "概览" not in english.text
    for answer in (chinese, by_browser, by_cookie):
        assert "概览" in answer.text
    assert "riverrun_lang=zh-CN" in chinese.headers["Set-Cookie"]
    for _, attributes in elements(english.text).found:
        for name in ("href", "action"):
            assert not (attributes.get(name) or "").startswith("/"), attributes


async def test_links_and_assets_of_every_page_lead_somewhere(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    await insert(conn, tags=["red-tag"], queue="mail", kind="a:b/c")
    seen: set[str] = set()
    waiting = ["/", "/admin/queue/dashboard"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = await admin.page(path)
        if answer.status == 302:
            waiting.append(str(URL(path).join(URL(answer.headers["Location"]))))
            continue
        assert answer.status == 200, path
        if answer.headers["Content-Type"].startswith("text/html"):
            for _, attributes in elements(answer.text).found:
                href = attributes.get("href")
                if href and not href.startswith("#"):
                    waiting.append(str(URL(path).join(URL(href, encoded=True)).with_fragment(None)))
    assert len(seen) > 25


async def test_a_list_leads_from_page_to_page(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    for _ in range(7):
        await insert(conn)
    seen: list[str] = []
    path: str | None = "/admin/queue/jobs?limit=3"

    while path is not None:
        answer = await admin.page(path)
        seen += re.findall(r'href="\.\./queue/jobs/(\d+)"', answer.text)
        # The link to the other language has a cursor as well: that of this page.
        pager = answer.text.partition('class="pager"')[2]
        found = re.search(r'href="(\?[^"]*cursor=[^"]*)"', pager)
        path = "/admin/queue/jobs" + found[1].replace("&amp;", "&") if found else None

    assert len(seen) == len(set(seen)) == 7


async def test_forms_pause_scale_and_resume_a_queue(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    await insert(conn, queue="mail")
    page = elements((await admin.page("/admin/queue/list")).text)
    actions = {attributes["action"] for tag, attributes in page.found if tag == "form"}

    paused = await admin.request("POST", "/admin/form/queue/pause", data={"queue": "mail"})
    scaled = await admin.request("POST", "/admin/form/queue/scale", data={"queue": "mail", "max_workers": "12"})
    after = await admin.page("/admin/queue/list?notice=paused")
    resumed = await admin.request("POST", "/admin/form/queue/resume", data={"queue": "mail"})
    wrong = await admin.request("POST", "/admin/form/queue/scale", data={"queue": "mail", "max_workers": "many"})

    assert actions == {"../form/queue/pause", "../form/queue/scale"}
    assert [answer.status for answer in (paused, scaled, resumed, wrong)] == [303, 303, 303, 422]
    assert "../form/queue/resume" in after.text
    assert 'value="12"' in after.text
    assert "The queue is paused." in after.text


async def test_forms_cancel_retry_and_delete_a_job(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    job_id = await insert(conn, state="discarded", finalized_at=ago("1 minute"))
    body = {"job_id": str(job_id)}

    refused = await admin.request("POST", "/admin/form/job/cancel", data=body, headers={"Accept": "text/html"})
    retried = await admin.request("POST", "/admin/form/job/retry", data=body)
    state = (await job(conn, job_id))["state"]
    deleted = await admin.request("POST", "/admin/form/job/delete", data=body)
    missing = await admin.request("POST", "/admin/form/job/explode", data=body)
    as_json = await admin.post("/admin/form/job/cancel", body)

    assert refused.status == 409
    assert "already discarded" in refused.text
    assert (retried.status, state) == (303, "available")
    assert (deleted.status, deleted.headers["Location"]) == (303, "../../queue/jobs?notice=deleted")
    assert (missing.status, as_json.status) == (404, 415)


async def test_static_files_are_kept_until_they_change(admin: Admin) -> None:
    first = await admin.get("/admin/static/style.css")
    again = await admin.get("/admin/static/style.css", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status, again.status) == (200, 304)
    assert first.headers["Content-Type"].startswith("text/css")
    for name in ("..%2f__init__.py", "%2e%2e", "nothing.css", ".", "layout.html"):
        assert (await admin.get(f"/admin/static/{name}")).status == 404
