"""The chat page in a real browser, before a real server."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.bentos.chat_service import Planted, locked, service

__all__ = ["locked", "service"]  # fixtures

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
WATCH = "addEventListener('securitypolicyviolation', (event) => console.error('violated ' + event.violatedDirective))"


@dataclass
class Tab:
    """One page of a fresh browser, and what it did; `end` tells what it must not have done."""

    page: Page
    context: BrowserContext
    url: str
    planted: Planted
    failures: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def ask(self, question: str) -> None:
        before = self.page.locator("article").count()
        self.page.get_by_label("Your question").fill(question)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("article")).to_have_count(before + 1)
        expect(self.page.get_by_role("button", name="Send")).to_be_visible()

    def end(self) -> None:
        hosts = {urlsplit(url.removeprefix("blob:")).netloc for url in self.asked}
        self.context.close()
        assert hosts == {urlsplit(self.url).netloc}
        assert self.failures == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield browser
        browser.close()


Open = Callable[..., Tab]


@pytest.fixture
def visit(browser: Browser, service: tuple[str, Planted]) -> Iterator[Open]:
    """Open the page with the given options of a context; at the end it broke no rule and asked no other host."""
    tabs: list[Tab] = []

    def start(at: tuple[str, Planted] = service, **options: object) -> Tab:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        tab = Tab(context.new_page(), context, *at)
        tabs.append(tab)
        context.add_init_script(WATCH)
        tab.page.on("request", lambda one: tab.asked.append(one.url))
        tab.page.on("pageerror", lambda error: tab.failures.append(str(error)))
        # a status that the service means to give is written to the console, too
        meant = re.compile("status of (401|404|422)").search
        tab.page.on("console", lambda told: None if meant(told.text) else tab.failures.append(told.text))
        tab.page.goto(tab.url)
        return tab

    yield start
    for tab in tabs:
        tab.end()
