"""What a reader of the chat page does, and what must not happen."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.bentos.chat.conftest import CHROMIUM, Open
from tests.bentos.chat_service import EVIL, Planted

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")


def test_a_question_its_sources_and_a_follow_up(visit: Open) -> None:
    tab = visit()
    expect(tab.page.get_by_role("banner")).to_contain_text("course-search")
    tab.ask("What happens to late work?")
    answer = tab.page.locator("article").last
    expect(answer.locator(".prose p")).to_have_count(2)
    expect(answer.locator(".prose")).to_contain_text("within ten days")
    expect(answer.locator(".sources li")).to_have_count(3)
    expect(tab.page.locator("#spoken")).to_contain_text("3 sources")
    tab.ask("And what was that?")
    expect(tab.page.locator("article").last).to_contain_text("You first asked: What happens to late work?")
    assert [one["role"] for one in tab.planted.asked[-1]] == ["user", "assistant", "user"]
    tab.page.get_by_role("button", name="New").click()
    expect(tab.page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    tab.ask("late again")
    assert len(tab.planted.asked[-1]) == 1


def test_the_answer_is_shown_while_it_comes_and_can_be_stopped(visit: Open) -> None:
    tab = visit()
    tab.page.get_by_label("Your question").fill("Tell it slowly")
    tab.page.keyboard.press("Enter")
    answer = tab.page.locator("article").last
    expect(answer.locator(".prose")).to_contain_text("water")
    expect(answer).to_have_attribute("aria-busy", "true")
    tab.page.get_by_role("button", name="Stop answering").click()
    expect(answer.locator(".verdict")).to_have_text("Stopped")
    said = answer.locator(".prose").inner_text()
    assert 0 < len(said) < 1000
    expect(tab.page.get_by_label("Your question")).to_be_focused()
    tab.ask("What happens to late work?")
    assert len(tab.planted.asked[-1]) == 1  # what was stopped is not part of the conversation


def test_a_citation_opens_its_page(visit: Open) -> None:
    tab = visit()
    tab.ask("What happens to late work?")
    tab.page.get_by_role("button", name="Source 1: regulations.pdf, Page 7").click()
    panel = tab.page.locator("#panel")
    expect(panel.locator("#where")).to_have_text(
        "Page 7 · Assessment \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} Late submission"
    )
    expect(panel.locator("#snippet")).to_contain_text("Nothing is accepted")
    image = panel.get_by_role("img", name="Page 7 of regulations.pdf")
    assert image.evaluate("(image) => image.naturalWidth") == 107
    tab.page.get_by_role("button", name="3 regulations.pdf").click()
    expect(panel.locator("figcaption")).to_have_text(["Page 9", "Page 10"])
    tab.page.get_by_role("button", name="Source 2: illness.md").click()
    expect(panel.locator("#snippet")).to_contain_text("A certificate")
    with tab.page.expect_response("**/v1/documents"):
        tab.page.get_by_role("button", name="Documents").click()
    expect(panel.locator("#source")).to_be_hidden()


def test_what_the_documents_do_not_say(visit: Open) -> None:
    tab = visit()
    tab.ask("Will it rain tomorrow?")
    answer = tab.page.locator("article").last
    expect(answer.locator(".verdict")).to_have_text("Not in the documents")
    expect(answer.locator(".prose")).to_contain_text("This is not in the documents.")


def test_errors_are_words_and_can_be_tried_again(visit: Open) -> None:
    tab = visit()
    tab.ask("break")
    answer = tab.page.locator("article").last
    expect(answer.locator(".prose")).to_have_text("The index went away.Request r-1")
    tab.page.route("**/v1/ask", lambda route: route.abort("blockedbyclient"))
    tab.page.get_by_role("button", name="Try again").click()
    expect(tab.page.locator("article")).to_contain_text(["The service cannot be reached."])
    tab.failures.clear()


def test_feedback(visit: Open) -> None:
    tab = visit()
    tab.ask("What happens to late work?")
    good = tab.page.get_by_role("button", name="Good answer")
    with tab.page.expect_request("**/feedback") as sent:
        good.click()
    expect(good).to_have_attribute("aria-pressed", "true")
    expect(tab.page.locator(".thanks")).to_have_text("Thank you.")
    told = sent.value.post_data_json
    assert told == {"request_id": told["request_id"], "rating": 1} and len(told["request_id"]) == 32
    assert sent.value.response().status == 200  # type: ignore[union-attr]


def test_upload_and_delete(visit: Open) -> None:
    tab = visit()
    tab.page.get_by_role("button", name="Documents").click()
    files = [("notes.md", b"# Notes\n"), ("none.pdf", b"")]
    tab.page.get_by_label("Add documents").set_input_files(
        [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files]
    )
    shelf = tab.page.locator("#shelf")
    empty, notes = (shelf.locator("li", has_text=name) for name in ("none.pdf", "notes.md"))
    expect(empty).to_contain_text("none.pdf is empty")
    expect(notes).to_contain_text("Waiting to be indexed")
    expect(notes).to_contain_text("Indexed", timeout=15_000)
    notes.get_by_role("button").click()
    assert any(one["name"] == "notes.md" for one in tab.planted.documents.values())
    notes.get_by_role("button").click()
    expect(notes).to_contain_text("Deleted · The next release answers without it.")
    assert not any(one["name"] == "notes.md" for one in tab.planted.documents.values())


def test_by_keyboard_alone(visit: Open) -> None:
    tab = visit()
    keys = tab.page.keyboard
    expect(tab.page.get_by_label("Your question")).to_be_focused()
    keys.type("What happens")
    keys.press("Shift+Enter")
    keys.type("to late work?")
    keys.press("Enter")
    expect(tab.page.locator(".sources li")).to_have_count(3)
    assert tab.planted.asked[-1][-1]["content"] == "What happens\nto late work?"
    marker = tab.page.locator(".prose .mark").first
    for _ in range(30):
        keys.press("Shift+Tab")
        if marker.evaluate("(node) => node === document.activeElement"):
            break
    assert marker.evaluate("(node) => getComputedStyle(node).outlineStyle") == "solid"
    keys.press("Enter")
    expect(tab.page.get_by_role("heading", name="regulations.pdf")).to_be_focused()
    keys.press("Escape")
    expect(tab.page.locator("#panel")).to_be_hidden()
    expect(marker).to_be_focused()


def test_on_a_phone(visit: Open) -> None:
    tab = visit(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)

    def overflow() -> object:
        return tab.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    expect(tab.page.locator("#examples button").first).to_be_visible()
    assert overflow() == 0
    tab.ask("something evil, then " + "w" * 300)
    assert overflow() == 0
    tab.page.locator(".sources button").first.tap()
    box = tab.page.locator("#panel").bounding_box()
    assert box is not None and (box["x"], box["width"]) == (0, 360)
    assert overflow() == 0
    assert tab.page.evaluate("document.getElementById('app').inert")
    tab.page.get_by_role("button", name="Close the panel").tap()
    assert not tab.page.evaluate("document.getElementById('app').inert")


def light(colour: str) -> float:
    """The relative luminance of a colour, as WCAG defines it."""
    parts = [int(one) / 255 for one in re.findall(r"\d+", colour)[:3]]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(visit: Open, scheme: str) -> None:
    tab = visit(color_scheme=scheme)
    tab.ask("Will it rain?")
    paper = light(tab.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (paper > 0.5) == (scheme == "light")
    for selector in ("h1", "#version", "#keys", ".prose", ".verdict"):
        ink = light(tab.page.locator(selector).first.evaluate("(node) => getComputedStyle(node).color"))
        low, high = sorted((ink, paper))
        assert (high + 0.05) / (low + 0.05) >= 4.5, selector


def test_nothing_that_is_sent_becomes_markup(visit: Open) -> None:
    tab = visit()
    expect(tab.page.locator("#examples")).to_contain_text(EVIL)
    tab.ask(f"evil {EVIL}")
    answer = tab.page.locator("article").last
    expect(answer.locator(".prose")).to_contain_text(f"{EVIL}<script>document.title=3</script>")
    expect(answer.locator(".prose button")).to_have_count(1)  # there is no source 9
    answer.locator(".prose button").click()
    expect(tab.page.locator("#snippet")).to_contain_text(f"{EVIL}<script>")
    tab.page.get_by_role("button", name="Documents").click()
    expect(tab.page.locator("#shelf")).to_contain_text(EVIL)
    assert (
        tab.page.evaluate("document.querySelectorAll('article img, article b, #panel script, #shelf img').length") == 0
    )
    assert tab.page.title() == "course-search"


def test_a_key_opens_a_session(visit: Open, locked: tuple[str, Planted]) -> None:
    tab = visit(locked)
    key = tab.page.get_by_label("API key")
    expect(key).to_be_focused()
    expect(tab.page.get_by_label("Your question")).to_be_hidden()
    key.fill("three")
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("alert").first).to_contain_text("not known")
    key.fill("two")
    tab.page.keyboard.press("Enter")
    tab.ask("What happens to late work?")
    expect(tab.page.locator(".sources li")).to_have_count(3)
    (cookie,) = tab.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", False)
    assert "two" not in cookie["value"] and tab.page.evaluate("document.cookie") == ""
    tab.page.reload()
    tab.ask("What happens to late work?")
    tab.page.get_by_role("button", name="Sign out").click()
    expect(key).to_be_visible()
    expect(tab.page.locator("article")).to_have_count(0)
    headers = {"Cookie": f"{cookie['name']}={cookie['value']}"}
    assert httpx.get(f"{tab.url}/info", headers=headers).status_code == 401
