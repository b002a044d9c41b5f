"""`penstock chat` before a server that speaks OpenAI's API: one answer for scripts, a conversation in a terminal."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from flows import chatting
from tasks.artifacts import Store
from tasks.errors import PenstockError
from tasks.settings import ROOT, load
from tasks.watching.replicas import Heartbeat, beat
from tests.language.openai_server import Told, running

IN_A_TERMINAL = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
COMMAND = [sys.executable, "-m", "flows.cli", "chat"]


ANSWER = "At [2Jten.\n"  # without the escape that would clear the screen


@pytest.fixture
def server() -> Iterator[Told]:
    with running() as told:
        told.pieces, told.why = ["At ", "\x1b[2Jten."], ("loop",)
        yield told


def chat(*arguments: str, said: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | environment
    return subprocess.run([*COMMAND, *arguments], cwd=ROOT, env=env, input=said, capture_output=True, text=True)


def test_one_answer_for_a_script(server: Told) -> None:
    options = ["--system", "Be brief.", "--max-tokens", "9", "--temperature", "0.5", "--model", "base"]
    done = chat("desk", "--url", f"{server.url}/v1/", "--once", "When?", *options)
    assert (done.returncode, done.stdout) == (0, ANSWER)
    assert done.stderr == "(desk-base, version 7; ended here: it began to repeat itself)\n"
    (asked,) = server.asked
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "When?"}]
    assert asked == {
        "model": "desk-base", "messages": messages, "stream": True, "max_tokens": 9, "temperature": 0.5
    }  # fmt: skip


def test_a_mistake_is_told_and_ends_with_1(server: Told) -> None:
    server.trouble = "The engine fell over."
    done = chat("desk", "--url", server.url, said="When?")
    assert (done.returncode, done.stderr) == (1, "penstock: The engine fell over.\n")


def test_a_pipe_asks_the_service_that_runs(server: Told, data_root: Path, tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "desk.yaml").write_text("kind: assistant\ndataset: desk\n")
    store, known = Store(data_root / "store"), {"release": "desk", "version": "7", "pid": 1}
    beat(store, Heartbeat(replica="gone", url="http://127.0.0.1:9", time=time.time(), **known))
    beat(store, Heartbeat(replica="here", url=server.url, time=time.time() - 5, **known))
    done = chat("desk", said="When?\n", PENSTOCK_PROJECT=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr
    assert server.asked[0]["model"] == "desk" and server.asked[0]["messages"][0]["content"] == "When?\n"


def test_a_key_is_shown_to_a_service_that_asks_for_one(server: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "two")
    chatting.chat("desk", server.url, "When?", chatting.Wishes(), load())
    assert set(server.keys) == {"Bearer none"}
    server.key = "two"
    chatting.chat("desk", server.url, "When?", chatting.Wishes(), load())
    assert server.keys[-1] == "Bearer two" and len(server.asked) == 2


def test_mistakes_are_sentences(server: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(url: str | None = server.url, once: str = "When?", name: str = "desk", model: str | None = None) -> str:
        with pytest.raises(PenstockError) as caught:
            chatting.chat(name, url, once, chatting.Wishes(model), load())
        return str(caught.value)

    assert "There is no question" in told(once=" ")
    assert told(model="v9") == "There is no model v9; there are: desk, desk-base."
    assert "cannot be reached" in told("http://127.0.0.1:9")
    assert "kind documents" in told(None, name="course-search")
    assert "`penstock train course-chat` makes one" in told(None, name="course-chat")
    server.status = 429
    assert "busy" in told()
    server.status, server.finish = 200, None
    assert "cut off before its end" in told()
    server.trouble = "The engine fell over."
    assert told() == "The engine fell over."
    server.key = "two"
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "asks for an API key; set OPENAI_API_KEY" in told()
    monkeypatch.setenv("OPENAI_API_KEY", "three")
    assert "does not know this API key" in told()
    server.models = ()
    assert "No assistant answers" in told()


class Terminal(subprocess.Popen[bytes]):
    """A chat in a terminal; what it shows is awaited."""

    stdin: IO[bytes]
    stdout: IO[bytes]
    shown = ""

    def __init__(self, *arguments: str) -> None:
        env = os.environ | {"TERM": "dumb", "NO_COLOR": "1"}
        command = [*IN_A_TERMINAL, *COMMAND, *arguments]
        super().__init__(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def type(self, keys: str) -> None:
        self.stdin.write(keys.encode())
        self.stdin.flush()

    def wait_for(self, text: str) -> str:
        """What was shown up to and with the text."""
        while text not in self.shown:
            more = os.read(self.stdout.fileno(), 4096)
            assert more, self.shown
            self.shown += more.decode()
        before, _, self.shown = self.shown.partition(text)
        return before + text


@pytest.fixture
def terminal(server: Told) -> Iterator[Terminal]:
    with Terminal("desk", "--url", server.url) as opened:
        yield opened
        opened.kill()  # where the test failed


def test_a_conversation_in_a_terminal(server: Told, terminal: Terminal) -> None:
    terminal.wait_for("Ctrl-D ends")
    terminal.wait_for("> ")
    terminal.type("When?\n")
    assert "\x1b[2J" not in terminal.wait_for("ten.")
    terminal.wait_for("(desk, version 7; ended here")
    server.pieces, server.pause_s = ["water "] * 400, 0.05
    terminal.type("/model base\n/system Be brief.\n")
    terminal.wait_for("system message: Be brief.")
    terminal.type("And then?\n")
    terminal.wait_for("water water")
    terminal.type("\x03")
    terminal.wait_for("(stopped)")
    assert server.left.wait(5)
    server.pieces, server.pause_s = ["Yes."], 0.0
    terminal.type("Go on\n")
    terminal.wait_for("Yes.")
    asked = server.asked[-1]
    said = [(one["role"], one["content"].strip()) for one in asked["messages"]]
    assert asked["model"] == "desk-base" and said[0] == ("system", "Be brief.")
    assert said[1:4] == [("user", "When?"), ("assistant", "At [2Jten."), ("user", "And then?")]
    assert said[4][1].startswith("water water") and said[5] == ("user", "Go on")
    server.status = 429
    terminal.type("More\n")
    terminal.wait_for("busy")
    server.status = 200
    terminal.type("/clear\n/nothing\n")
    terminal.wait_for("needs a space before it")
    terminal.type("Anew\n")
    terminal.wait_for("Yes.")
    terminal.wait_for("> ")
    assert [one["content"] for one in server.asked[-1]["messages"]] == ["Be brief.", "Anew"]
    terminal.type("\x04")
    assert terminal.wait(10) == 0
