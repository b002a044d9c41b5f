"""`penstock chat`: a conversation with an assistant in the terminal, or one answer for a script."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from getpass import getpass

import httpx
import openai

from flows import console
from flows.orders import recipe_of
from flows.serving import champion_of
from flows.talking import Talk
from flows.touring import service
from tasks.artifacts import store_at
from tasks.errors import BadInput, PenstockError
from tasks.settings import Settings
from tasks.watching.replicas import replicas

HELP = "/model [NAME], /system [TEXT], /clear, /exit; Ctrl-C stops an answer, Ctrl-D ends"


@dataclass(frozen=True)
class Wishes:
    """How the user wants to be answered; None leaves it to the release."""

    model: str | None = None
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None


def chat(name: str, url: str | None, once: str | None, wishes: Wishes, settings: Settings) -> None:
    """One answer where there is one question, by `once` or by a pipe; a conversation otherwise."""
    question = piped() if once is None else once
    if question is not None and not question.strip():
        raise BadInput("There is no question: give one with --once, or on standard input.")
    with place(name, url, settings) as where, connected(where) as client:
        options = {"max_tokens": wishes.max_tokens, "temperature": wishes.temperature}
        given = {key: value for key, value in options.items() if value is not None}
        talk = Talk(client, where, system=wishes.system, options=given)
        let_in(talk)
        talk.choose(wishes.model)
        if question is None:
            converse(talk)
        else:
            answer(talk, question)


def piped() -> str | None:
    return None if sys.stdin.isatty() else sys.stdin.read()


@contextmanager
def place(name: str, url: str | None, settings: Settings) -> Iterator[str]:
    """Where the assistant answers: at `url`, where it is served already, or by a service that ends with the chat."""
    if url is not None:
        yield url.rstrip("/").removesuffix("/v1")
        return
    if (kind := recipe_of(name, settings).kind) != "assistant":
        raise BadInput(
            f"{name} is a release of kind {kind}, and `chat` talks to assistants; `penstock serve {name}` tells "
            "where its API and its pages are."
        )
    if (found := served(name, settings)) is not None:
        yield found
        return
    champion_of(name, settings)
    sys.stderr.write(f"{name} is not served; starting a service for this chat\n")
    with service(name, settings) as own:
        yield own


def served(name: str, settings: Settings) -> str | None:
    """The service of the newest heartbeat that is ready."""
    for beat in sorted(replicas(store_at(settings.store), name), key=lambda beat: beat.time, reverse=True):
        with suppress(httpx.HTTPError):
            if httpx.get(f"{beat.url}/ready", timeout=2, trust_env=False).is_success:
                return beat.url
    return None


@contextmanager
def connected(url: str) -> Iterator[openai.OpenAI]:
    with openai.DefaultHttpxClient(trust_env=False) as http:
        yield openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, http_client=http)


def let_in(talk: Talk) -> None:
    """Show the user's key to a service that asks for one, and to no other."""
    with suppress(openai.OpenAIError):
        try:
            talk.client.models.list()
        except openai.AuthenticationError:
            talk.client.api_key = key(talk.url)


def key(url: str) -> str:
    if given := os.environ.get("OPENAI_API_KEY"):
        return given
    if not sys.stdin.isatty():
        raise BadInput(f"The service at {url} asks for an API key; set OPENAI_API_KEY to one of its own.")
    return getpass("API key: ")


def answer(talk: Talk, question: str) -> None:
    """The answer alone on standard output; what should be known about it beside it."""
    try:
        note = talk.say(question)
    finally:
        console.out.out("")
    sys.stderr.write(f"({note})\n")


def converse(talk: Talk) -> None:
    with suppress(ImportError):
        import readline  # noqa: F401 - lines can be edited and called back
    console.out.print(f"{talk.model} at {talk.url}\n{HELP}", style="dim")
    while True:
        try:
            line = input("> ")
        except EOFError:
            console.out.print()
            return
        except KeyboardInterrupt:
            console.out.print()
            continue
        if line.strip() == "/exit":
            return
        try:
            command(talk, line) if line.startswith("/") else turn(talk, line.strip())
        except PenstockError as error:
            console.out.print(f"\n{error}", style="red")


def turn(talk: Talk, question: str) -> None:
    if not question:
        return
    try:
        note = talk.say(question)
    except KeyboardInterrupt:
        note = "stopped"
    console.out.print(f"\n({note})", style="dim")


def command(talk: Talk, line: str) -> None:
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    if word == "/clear":
        talk.history = []
        told = "a new conversation"
    elif word == "/system":
        talk.system = rest or None
        told = f"system message: {rest}" if rest else "no system message"
    elif word == "/model" and rest:
        talk.choose(rest)
        told = talk.model
    elif word == "/model":
        told = ", ".join(f"{one} (chosen)" if one == talk.model else one for one in talk.models())
    else:
        told = f"{HELP}. A message that begins with / needs a space before it."
    console.out.print(told, style="dim")
