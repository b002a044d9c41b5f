"""The demo's service and chat: one that dies is told of, and no proxy stands between."""

import pytest

from flows import demo
from flows.touring import service
from tasks import settings
from tasks.errors import Unavailable
from tests.language.openai_server import running


def test_a_service_that_died_at_its_start_is_told_of() -> None:
    with (
        pytest.raises(Unavailable, match=r"There is no release 'nobody'.*`penstock serve nobody` shows why"),
        service("nobody", settings.load()),
    ):
        pytest.fail("it cannot be ready")


def test_the_chat_goes_by_no_proxy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with running() as server:
        demo.chat(server.url, "When?")
    assert server.asked[0]["model"] == demo.TALK
    assert "> When?" in (told := capsys.readouterr().out) and "ten." in told
