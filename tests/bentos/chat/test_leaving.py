"""What the chat page leaves behind: for the next key, for the next question, for the service that it asks."""

import pytest
from playwright.sync_api import expect

from tests.bentos.chat.conftest import CHROMIUM, Open
from tests.bentos.chat_service import Planted

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")


def test_a_session_that_ended_leaves_nothing_to_the_next_key(visit: Open, locked: tuple[str, Planted]) -> None:
    tab = visit(locked)
    key = tab.page.get_by_label("API key")

    def sign_in() -> None:
        key.fill("two")
        tab.page.keyboard.press("Enter")
        expect(tab.page.get_by_label("Your question")).to_be_focused()

    sign_in()
    tab.ask("What happens to late work?")
    expect(tab.page.locator(".sources li")).to_have_count(3)
    tab.context.clear_cookies()
    tab.page.get_by_label("Your question").fill("What happens to late work?")
    tab.page.keyboard.press("Enter")
    expect(key).to_be_focused()
    assert "deadline" not in tab.page.content()
    assert tab.page.get_by_label("Your question").input_value() == ""
    sign_in()
    tab.ask("What was that?")
    assert len(tab.planted.asked[-1]) == 1


def test_an_answer_is_not_cut_inside_a_letter(visit: Open) -> None:
    tab = visit()
    tab.ask("Tell of bees")
    tab.ask("And what was that?")
    assert tab.planted.asked[-1][1]["content"] == "a" + "\N{HONEYBEE}" * 999


def test_an_upload_is_asked_for_while_it_is_there_and_seen(visit: Open) -> None:
    tab = visit()
    asked: list[str] = []
    tab.page.on("request", lambda one: asked.append(one.url) if "/v1/documents/u" in one.url else None)
    tab.page.route("**/v1/documents/u*", lambda route: route.fulfill(status=404, json={"error": {"message": "gone"}}))
    tab.page.get_by_role("button", name="Documents").click()

    def add(name: str) -> None:
        file = {"name": name, "mimeType": "text/plain", "buffer": b"text"}
        tab.page.get_by_label("Add documents").set_input_files([file])
        expect(tab.page.locator("#shelf")).to_contain_text(name)

    add("first.md")
    expect(tab.page.locator("#shelf li", has_text="first.md")).to_have_count(0)
    assert len(asked) == 1
    add("second.md")
    tab.page.get_by_role("button", name="Close the panel").click()
    tab.page.wait_for_timeout(3000)
    assert len(asked) == 1
