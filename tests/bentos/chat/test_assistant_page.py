"""The chat page before an assistant: a choice of models, a conversation, and what may go wrong while it answers."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Request, Route, expect

from bentos.kit.keys import Key, Keys
from tasks.artifacts import sha256
from tests.bentos.assistant.conftest import ANSWER, QUESTION, Served, Start, models, shipped, start, weights_folder
from tests.bentos.chat.conftest import CHROMIUM, Open, Tab
from tests.bentos.chat_service import EVIL, Planted
from tests.bentos.test_follow import until
from tests.language.openai_server import Told, running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
__all__ = ["models", "shipped", "start", "weights_folder"]  # fixtures

COMPLETIONS = "**/v1/chat/completions"
CAROL = Key(name="carol", sha256=sha256(b"two"), scopes=frozenset({"ask", "feedback"}))


@pytest.fixture
def assistant(start: Start) -> Served:
    return start()


@pytest.fixture
def service(assistant: Served) -> tuple[str, Planted]:
    """What `visit` opens."""
    return assistant.url, Planted()


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """The assistant is answered for by a server that does as the test says; ask for it before the page."""
    with running() as told:
        monkeypatch.setenv("PENSTOCK_ENGINE", "openai")
        monkeypatch.setenv("PENSTOCK_UPSTREAM_MODEL", "tuned")
        monkeypatch.setenv("OPENAI_BASE_URL", told.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield told


def sent(tab: Tab) -> list[dict[str, Any]]:
    """The bodies of the questions from here on."""
    bodies: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/completions"):
            bodies.append(request.post_data_json)

    tab.page.on("request", note)
    return bodies


def chunks(*pieces: dict[str, Any]) -> str:
    head = {"system_fingerprint": "v7"}
    return "".join(f"data: {json.dumps(head | piece)}\n\n" for piece in pieces)


def piece(text: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]} | more


def test_a_conversation_goes_on(visit: Open) -> None:
    tab = visit()
    bodies = sent(tab)
    expect(tab.page.get_by_role("banner")).to_contain_text("course-chat")
    expect(tab.page.locator("#welcome")).to_contain_text("can be wrong")
    expect(tab.page.get_by_role("button", name="Documents")).to_be_hidden()
    assert tab.page.locator("#examples li").count() == 0 and tab.page.title() == "course-chat"
    say(tab, QUESTION)
    answer = tab.page.locator("article").last
    expect(answer.locator(".prose")).to_have_text(ANSWER)
    expect(answer.locator(".by")).to_contain_text("course-chat, version ")
    expect(tab.page.locator("#spoken")).to_contain_text(ANSWER)
    say(tab, QUESTION)
    assert bodies[-1] == {
        "model": "course-chat",
        "stream": True,
        "messages": [
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": ANSWER},
            {"role": "user", "content": QUESTION},
        ],
    }
    tab.page.get_by_role("button", name="New").click()
    say(tab, QUESTION)
    assert len(bodies[-1]["messages"]) == 1


def say(tab: Tab, message: str) -> None:
    before = tab.page.locator("article").count()
    tab.page.get_by_label("Your message").fill(message)
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("article")).to_have_count(before + 1)
    expect(tab.page.get_by_role("button", name="Send")).to_be_visible()


def test_a_model_is_chosen_for_the_tab_by_keyboard(visit: Open) -> None:
    tab = visit()
    bodies, picker = sent(tab), tab.page.get_by_label("Model")
    expect(picker).to_have_value("course-chat")
    assert picker.locator("option").all_inner_texts() == ["course-chat", "course-chat-base"]
    picker.focus()
    tab.page.keyboard.press("ArrowDown")
    tab.page.reload()
    expect(picker).to_have_value("course-chat-base")
    say(tab, "noise")
    assert bodies[-1]["model"] == "course-chat-base"
    expect(tab.page.locator(".by")).to_have_text(re.compile("^course-chat-base, version .+-base$"))


def test_stopping_frees_the_place_and_keeps_what_was_read(upstream: Told, visit: Open, assistant: Served) -> None:
    upstream.pause_s, upstream.pieces = 0.05, ["water "] * 200
    tab = visit()
    bodies = sent(tab)
    tab.page.get_by_label("Your message").fill("Tell of water")
    tab.page.keyboard.press("Enter")
    answer = tab.page.locator("article").first
    expect(answer.locator(".prose")).to_contain_text("water water")
    expect(answer).to_have_attribute("aria-busy", "true")
    tab.page.get_by_role("button", name="Stop answering").click()
    expect(answer.locator(".verdict")).to_have_text("Stopped")
    expect(tab.page.get_by_label("Your message")).to_be_focused()
    until(lambda: assistant.metric("penstock_requests_in_flight") == 0, 5)
    assert upstream.left.wait(5)
    upstream.pause_s, upstream.pieces = 0.0, ["More."]
    say(tab, "Go on")
    said = bodies[-1]["messages"]
    assert [one["role"] for one in said] == ["user", "assistant", "user"]
    assert said[1]["content"].strip() == answer.locator(".prose").inner_text()


def test_what_breaks_off_is_shown_and_told_in_a_sentence(upstream: Told, visit: Open) -> None:
    upstream.finish = None
    tab = visit()
    bodies = sent(tab)
    say(tab, QUESTION)
    answer = tab.page.locator("article").last
    expect(answer.locator(".verdict")).to_have_text("Cut off")
    expect(answer.locator(".prose")).to_contain_text("The library opens at ten.The model tuned")
    expect(answer.locator(".prose")).to_contain_text("Request ")
    upstream.finish = "length"
    answer.get_by_role("button", name="Try again").click()
    expect(answer.locator(".prose")).to_contain_text("the answer reached its greatest length")
    assert [len(body["messages"]) for body in bodies] == [1, 1]


def test_a_busy_assistant_says_so(upstream: Told, visit: Open) -> None:
    upstream.status = 429
    tab = visit()
    expect(tab.page.locator("#choice")).to_be_hidden()  # there is one model only
    say(tab, QUESTION)
    answer = tab.page.locator("article").last
    expect(answer.locator(".prose")).to_contain_text("The assistant is busy")
    upstream.status = 200
    answer.get_by_role("button", name="Try again").click()
    expect(answer.locator(".prose")).to_have_text("The library opens at ten.")
    assert "429" in tab.failures.pop() and not tab.failures


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (chunks(piece("The beginning")), "The beginningThe answer was cut off before its end. Try again."),
        ("", "The answer was cut off before its end. Try again."),
        (chunks(piece("la la", "stop", penstock={"why": ["loop"]})), "la laEnded here: it began to repeat itself."),
        (chunks(piece("", "stop", penstock={"why": ["eos"]})) + "data: [DONE]\n\n", "The answer is empty."),
        (chunks(piece(f"{EVIL}\n\n[1]", "stop")), f"{EVIL}[1]"),
    ],
)
def test_ends_of_an_answer(visit: Open, body: str, told: str) -> None:
    tab = visit()

    def answer(route: Route) -> None:
        route.fulfill(content_type="text/event-stream", body=body)

    tab.page.route(COMPLETIONS, answer)
    say(tab, "Hello")
    expect(tab.page.locator("article .prose")).to_have_text(told)
    assert tab.page.locator(".prose img, .prose button").count() == 0


BREAKING = """() => {
  const piece = { choices: [{ delta: { content: "The beginning" } }], system_fingerprint: "v7" };
  const line = new TextEncoder().encode(`data: ${JSON.stringify(piece)}\\n\\n`);
  const start = (stream) => {
    stream.enqueue(line);
    setTimeout(() => stream.error(new TypeError("network error")), 50);
  };
  window.fetch = async () => new Response(new ReadableStream({ start }));
}"""


def test_a_line_that_breaks_cuts_the_answer_off(visit: Open) -> None:
    tab = visit()
    expect(tab.page.get_by_label("Model")).to_be_visible()
    tab.page.evaluate(BREAKING)
    say(tab, "Hello")
    told = "The beginningThe answer was cut off before its end. Try again."
    expect(tab.page.locator("article .prose")).to_have_text(told)


def test_a_thumb_is_for_the_answer(visit: Open) -> None:
    tab = visit()
    with tab.page.expect_response(COMPLETIONS) as answered:
        say(tab, QUESTION)
    with tab.page.expect_request("**/feedback") as rated:
        tab.page.get_by_role("button", name="Bad answer").click()
    expect(tab.page.locator(".thanks")).to_have_text("Thank you.")
    assert rated.value.post_data_json == {"request_id": answered.value.headers["x-request-id"], "rating": -1}


def test_a_key_that_may_only_ask(visit: Open, start: Start) -> None:
    locked = start(keys=Keys([CAROL]))
    tab = visit((locked.url, Planted()))
    key = tab.page.get_by_label("API key")
    expect(key).to_be_focused()
    expect(tab.page.get_by_label("Model")).to_be_hidden()
    key.fill("two")
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("banner")).to_contain_text("course-chat version ")
    expect(tab.page.locator("#notice")).to_be_empty()
    say(tab, QUESTION)
    expect(tab.page.locator("article .prose")).to_have_text(ANSWER)
    tab.page.get_by_role("button", name="Sign out").click()
    expect(key).to_be_visible()
    expect(tab.page.get_by_label("Model")).to_be_hidden()
    assert ANSWER not in tab.page.content()
    assert all("403" in one for one in tab.failures)  # /info, which this key may not read
    tab.failures.clear()


def test_on_a_phone(visit: Open) -> None:
    tab = visit(viewport={"width": 320, "height": 640}, is_mobile=True, has_touch=True)

    def overflow() -> object:
        return tab.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    expect(tab.page.get_by_label("Model")).to_be_visible()
    assert overflow() == 0
    say(tab, QUESTION)
    expect(tab.page.get_by_role("button", name="New")).to_be_in_viewport()
    expect(tab.page.locator(".by")).to_be_in_viewport()
    assert overflow() == 0
    for _ in range(4):
        say(tab, QUESTION)
    assert (
        tab.page.evaluate("document.documentElement.scrollHeight - innerHeight") == 0
    )  # its parts scroll, not the page
