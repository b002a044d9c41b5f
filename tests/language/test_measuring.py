"""The load that a service is put under, before a stand-in whose speed is known; nobody is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from bentos.kit.config import configured
from tasks import settings
from tasks.errors import Unavailable
from tasks.language.chats import Message
from tasks.language.measuring import ASKED, Speed, checked, checks, end, measure, served, spread, surroundings, wait
from tasks.language.specs import AssistantBudgets
from tests.bentos.test_follow import until
from tests.language.room import ROOT, ended
from tests.language.stand_in import STEP_S, TOKENS

STAND_IN = Path(__file__).with_name("stand_in.py")
PROMPTS = [(Message(role="user", content=f"{number}?"),) for number in range(20)]
SPEED = Speed(first_token_ms=50.0, tokens_per_s=20.0, tokens_per_s_8=80.0, memory_mb=300.0)
BUSY = 3  # times that the service is not ready yet
KEYED = """
import hashlib, json, os, sys
from http.server import ThreadingHTTPServer
from tests.language.stand_in import Handler

class Keyed(Handler):
    def do_POST(self):
        given = hashlib.sha256(self.headers["X-API-Key"].encode()).hexdigest()
        (key,) = json.loads(os.environ["PENSTOCK_API_KEYS"])
        super().do_POST() if (given, key["scopes"]) == (key["sha256"], ["ask"]) else self.send_error(401)

Keyed.request_queue_size = 64
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[-1])), Keyed).serve_forever()
"""
PARENT = """
import os, sys, time
from pathlib import Path
import psutil
from tasks.language.measuring import served

with served(sys.argv[2:], os.environ, Path(sys.argv[1])) as (url, process):
    print(psutil.Process(process.pid).children()[0].pid, flush=True)
    time.sleep(600)
"""
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


def command(how: str) -> list[str]:
    return [sys.executable, str(STAND_IN), how, "--host", "127.0.0.1"]


def running() -> list[int]:
    return [one.pid for one in psutil.Process().children() if str(STAND_IN) in one.cmdline()]


def test_what_a_client_sees_is_measured() -> None:
    speed = measure(command("well"), {}, "chat", PROMPTS)
    assert speed.first_token_ms >= 1000 * STEP_S
    assert 0 < speed.tokens_per_s <= 1 / STEP_S
    assert speed.tokens_per_s < speed.tokens_per_s_8 <= ASKED / STEP_S and TOKENS == 8
    assert 5 < speed.memory_mb < 200
    assert running() == []


def test_a_service_that_is_not_ready_in_time_is_told() -> None:
    with pytest.raises(Unavailable, match="did not get ready: without a word"):
        measure(command("never"), {}, "chat", PROMPTS, patience=1.5)
    assert running() == []


def test_a_service_that_ends_is_told_with_its_last_words() -> None:
    with pytest.raises(Unavailable, match="did not get ready: No such model"):
        measure(command("ends"), {}, "chat", PROMPTS)


def test_a_service_that_refuses_to_answer_is_told() -> None:
    with pytest.raises(Unavailable, match=r"did not answer .*500"):
        measure(command("refuses"), {}, "chat", PROMPTS)
    assert running() == []


def test_keys_of_other_services_do_not_keep_it_from_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_API_KEYS", "[]")
    assert measure([sys.executable, "-c", KEYED], {}, "chat", PROMPTS).tokens_per_s > 0


def test_nothing_that_other_services_are_told_reaches_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "API_KEYS": "keys.json", "ENGINE": "openai", "LOG_TEXT": "true", "MAX_WAITING": "1", "MAX_TOKENS": "2",
        "MODELS": "v3", "TRACE_SHARE": "1", "MAX_CONCURRENCY": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"PENSTOCK_{name}", value)
    own = surroundings("secret", tmp_path)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    found, plain = configured(settings.load(), None, ""), settings.Settings.model_fields
    assert (found.log_text, found.trace_share, found.models) == (False, 0, ("champion",))
    assert (found.max_waiting, found.max_tokens) == (plain["max_waiting"].default, plain["max_tokens"].default)
    assert (found.max_concurrency, found.max_body_bytes) == (64, plain["max_body_bytes"].default)
    assert settings.load().engine == "transformers" and found.root == tmp_path
    key = found.keys.named("secret")
    assert key is not None and key.scopes == {"ask"} and found.keys.named("") is None


def test_a_service_ends_with_the_process_that_measures_it(tmp_path: Path) -> None:
    line, env = [sys.executable, "-c", PARENT, str(tmp_path / "log")], os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*line, *command("well")], stdout=subprocess.PIPE, env=env, text=True) as parent:
        assert parent.stdout is not None
        service = int(parent.stdout.readline())
        assert not ended(service) and "well" in psutil.Process(service).cmdline()
        parent.kill()
        until(lambda: ended(service), 10)


def test_what_does_not_end_when_told_to_is_killed_with_all_its_processes() -> None:
    service = psutil.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True)
    child = int(service.stdout.readline())
    end(service, grace=0.3)
    assert service.wait(5) == -signal.SIGKILL
    until(lambda: ended(child), 5)
    service.stdout.close()


@pytest.fixture
def slow() -> Iterator[tuple[str, list[str]]]:
    """The URL of a service that is ready after some requests, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(503 if len(asked) <= BUSY else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_that_is_not_ready_is_asked_again_after_a_pause(slow: tuple[str, list[str]], tmp_path: Path) -> None:
    url, asked = slow
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as alive:
        began = time.monotonic()
        wait(url, alive, tmp_path / "log")
        alive.terminate()
    assert asked == ["/ready"] * (BUSY + 1) and time.monotonic() - began >= BUSY * 0.2


def test_what_to_do_is_told_behind_the_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(Unavailable, match=r"did not get ready: No such model\. Look again\.$"),
        served(command("ends"), os.environ, tmp_path / "log", hint="Look again."),
    ):
        pytest.fail("it cannot be ready")


def test_a_check_that_fails_is_measured_once_more_and_the_better_numbers_count() -> None:
    slower = Speed(first_token_ms=90.0, tokens_per_s=25.0, tokens_per_s_8=60.0, memory_mb=310.0)
    budgets = AssistantBudgets(first_token_ms=60, tokens_per_s=24)
    turns = iter([slower, SPEED])
    found = checked(lambda: next(turns), budgets)
    assert [check.number for check in found] == [50, 25, 80, 300] and all(check.ok for check in found)
    assert not all(check.ok for check in checked(lambda: slower, budgets)), "what fails twice fails"
    once = iter([SPEED])
    assert checked(lambda: next(once), AssistantBudgets(tokens_per_s=20)) == checks(
        SPEED, AssistantBudgets(tokens_per_s=20)
    )


def test_a_series_of_prompts_is_another_in_each_turn() -> None:
    one, other = (spread(PROMPTS, turn) for turn in (0, 1))
    assert len(one) == len(other) == ASKED and not {*one} & {*other}
    assert len({*one}) == ASKED and spread(PROMPTS[:1], 1) == PROMPTS[:1] * ASKED


def test_without_budgets_everything_is_told_and_nothing_refused() -> None:
    found = checks(SPEED, AssistantBudgets())
    assert [check.name for check in found] == ["first token ms", "tokens per s", "tokens per s 8", "memory mb"]
    assert all(check.ok and check.measured and check.bound == "none" for check in found)
    assert found[1].text == "One client gets 20.0 tokens a second."


def test_a_budget_is_a_bound_on_the_side_that_hurts() -> None:
    met = AssistantBudgets(first_token_ms=50, tokens_per_s=20, tokens_per_s_8=80, memory_mb=300)
    assert [check.ok for check in checks(SPEED, met)] == [True] * 4
    missed = AssistantBudgets(first_token_ms=49, tokens_per_s=21, tokens_per_s_8=81, memory_mb=299)
    found = checks(SPEED, missed)
    assert [check.ok for check in found] == [False] * 4
    assert [check.bound for check in found] == ["<= 49", ">= 21", ">= 81", "<= 299"]
    assert found[3].text == "The service took 300 MB at most; the recipe asks for <= 299."
