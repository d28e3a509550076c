"""The pages: every one in both languages, and whatever text jobs bring along."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from urllib.parse import unquote

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb
from yarl import URL

from riverrun.store import listing
from riverrun_admin import reading
from riverrun_admin.pages.assets import version
from riverrun_admin.pages.view import CHOICES
from support.admin import Admin
from support.hostile import fill_with_hostile_text
from support.jobs import ago, insert

PAGES = [
    "/admin/queue/dashboard",
    "/admin/queue/stats",
    "/admin/queue/jobs",
    "/admin/queue/list",
    "/admin/handler/list",
    "/admin/schedule/list",
    "/admin/server/list",
    "/admin/error/list",
    "/admin/page/settings",
    "/admin/page/enqueue",
    "/admin/page/schedule",
    "/admin/page/handler",
    "/admin/queue/bulk",
    "/admin/audit/list",
    "/admin/audit/verify",
    "/admin/token/list",
    "/admin/page/token",
    "/admin/problems/validation",
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
        assert tag not in {"style", "iframe", "object", "img", "b"}, tag
        assert tag != "script" or set(attributes) == {"type", "src"}, attributes
        assert not [name for name in attributes if name.startswith("on") or name == "style"], attributes
        assert not (attributes.get("href") or "").lower().startswith("javascript:")
    return parser


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_no_text_of_a_job_becomes_part_of_a_page(
    admin: Admin, conn: AsyncConnection[TupleRow], language: str
) -> None:
    ids = await fill_with_hostile_text(conn)

    for path in [*PAGES, *(f"/admin/queue/jobs/{job_id}" for job_id in ids), "/admin/queue/jobs?state=discarded"]:
        answer = await admin.page(path, **{"Accept-Language": language})

        assert answer.status == 200, path
        assert f'<html lang="{language}"' in answer.text
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
    waiting = ["/", "/admin", "/admin/", "/admin/queue/dashboard"]
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
                # How a page looks is chosen on every page; it is enough to follow these links from one.
                chosen = set(CHOICES) & URL(href or "").query.keys() and not path.endswith("/dashboard")
                if href and not href.startswith("#") and not chosen:
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


async def test_a_long_search_is_shown_in_parts(
    admin: Admin, conn: AsyncConnection[TupleRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_AT", 3)
    monkeypatch.setattr(reading, "SEARCH_SECONDS", 0.0)
    for number in range(5):
        await insert(conn, kind="wanted" if number == 0 else "other")

    first = await admin.page("/admin/queue/jobs?kind=wanted")
    further = re.search(r'rel="next" href="([^"]+)">Search on<', first.text)
    assert further is not None
    second = await admin.page("/admin/queue/jobs" + unescape(further[1]))
    told = await admin.get("/admin/queue/jobs?kind=wanted")

    assert "The search is not done" in first.text
    assert "No job matches" not in first.text
    assert 'class="kind">wanted' in second.text
    assert "The search is not done" not in second.text
    assert (told.json["data"], told.json["count"]) == ([], {"value": 0, "relation": "gte"})
    assert told.json["next_cursor"] is not None


async def test_a_link_of_a_list_takes_the_place_of_what_its_filter_says(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    await insert(conn, tags=["red-tag"], state="discarded", finalized_at=ago("1 minute"), max_attempts=1)

    page = await admin.page('/admin/queue/jobs?filter=STATE:discarded+tag:red-tag+error:"a+b"&limit=3')

    links = {attributes.get("href") or "" for _, attributes in elements(page.text).found}
    assert "?limit=3&filter=tag:red-tag+error:%22a+b%22&state=running" in links
    assert "?limit=3&filter=tag:red-tag+error:%22a+b%22" in links, "all states"


async def test_forms_pause_scale_and_resume_a_queue(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    await insert(conn, queue="mail")
    page = elements((await admin.page("/admin/queue/list")).text)
    actions = {attributes["action"] for tag, attributes in page.found if tag == "form"}

    paused = await admin.request("POST", "/admin/form/queue/pause", data={"queue": "mail"})
    scaled = await admin.request("POST", "/admin/form/queue/scale", data={"queue": "mail", "max_workers": "12"})
    after = await admin.page("/admin/queue/list?notice=paused")
    resumed = await admin.request("POST", "/admin/form/queue/resume", data={"queue": "mail"})
    wrong = await admin.request("POST", "/admin/form/queue/scale", data={"queue": "mail", "max_workers": "many"})

    assert actions == {"../page/find", "../form/queue/pause", "../form/queue/scale"}
    assert [answer.status for answer in (paused, scaled, resumed, wrong)] == [303, 303, 303, 422]
    assert "../form/queue/resume" in after.text
    assert 'value="12"' in after.text
    assert "The queue is paused." in after.text


async def test_what_browsers_load_is_compressed_where_they_understand_it(admin: Admin) -> None:
    style = f"/admin/static/{version()}/parts.css"
    for path in ("/admin/queue/dashboard", style):
        small, plain = await admin.page(path), await admin.page(path, **{"Accept-Encoding": "identity"})
        assert small.headers["Content-Encoding"] in ("deflate", "gzip")
        assert "Content-Encoding" not in plain.headers
        assert int(small.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 2
        assert "Accept-Encoding" in small.headers["Vary"]
    assert (await admin.page(style)).text == (files("riverrun_admin") / "static" / "parts.css").read_text()
    assert "Content-Encoding" not in (await admin.get("/admin/queue/stats")).headers


async def test_static_files_are_kept_until_they_change(admin: Admin) -> None:
    page = elements((await admin.page("/admin/queue/dashboard")).text)
    named = {attributes["href"] or "" for tag, attributes in page.found if tag == "link"}
    current = await admin.get(
        f"/admin/{next(name for name in named if name.endswith('tokens.css')).removeprefix('../')}"
    )
    old = await admin.get("/admin/static/0123456789ab/tokens.css")

    assert current.headers["Content-Type"].startswith("text/css")
    assert "immutable" in current.headers["Cache-Control"]
    assert (old.status, old.headers["Cache-Control"]) == (200, "no-store")
    for name in ("..%2f__init__.py", "%2e%2e", "nothing.css", ".", "layout.html"):
        assert (await admin.get(f"/admin/static/0123456789ab/{name}")).status == 404


async def test_a_first_visit_costs_less_than_150_kb(admin: Admin) -> None:
    page = await admin.page("/admin/queue/dashboard")
    bytes_loaded = len(page.body)
    for tag, attributes in elements(page.text).found:
        if tag == "link":
            bytes_loaded += len((await admin.get(f"/admin/{(attributes['href'] or '').removeprefix('../')}")).body)

    assert bytes_loaded < 150_000


async def test_a_search_leads_to_a_job_or_to_a_filtered_list(admin: Admin) -> None:
    for asked, target in (
        ("17", "../queue/jobs/17"),
        ("email", "../queue/jobs?filter=email"),
        ('error:"timed out" kind:"Send mail"', '../queue/jobs?filter=error:"timed+out"+kind:"Send+mail"'),
        ("state:discarded queue:mail", "../queue/jobs?filter=state:discarded+queue:mail"),
    ):
        answer = await admin.get("/admin/page/find", params={"q": asked}, headers={"Accept": "text/html"})
        assert unquote(answer.headers["Location"]) == target


async def test_failures_are_one_line_for_each_thing_that_went_wrong(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    for number in range(5):
        error = {"at": "2026-01-01T00:00:00Z", "attempt": 1, "error": f"Timeout: order {number} took 30 s", "trace": ""}
        await insert(
            conn, kind="order", state="discarded", finalized_at=ago(f"{number} minutes"), errors=[Jsonb(error)]
        )
    await insert(conn, kind="order", state="retryable", errors=[Jsonb({"at": "?", "error": "KeyError: 'customer'"})])

    listed = (await admin.get("/admin/error/list")).json
    group = next(each for each in listed["data"] if each["discarded"] == 5)

    assert {each["message"] for each in listed["data"]} == {"Timeout: order # took # s", "KeyError: 'customer'"}
    assert (len(group["job_ids"]), listed["complete"]) == (5, True)


async def test_what_a_reader_chooses_is_kept(admin: Admin) -> None:
    answer = await admin.page("/admin/page/settings?theme=dark")
    again = await admin.page("/admin/page/settings", Cookie="riverrun_theme=dark; riverrun_zone=mars")

    assert "riverrun_theme=dark" in answer.headers["Set-Cookie"]
    assert 'data-theme="dark"' in again.text
    assert 'data-zone="local"' in again.text
