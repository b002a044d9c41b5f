"""One line of chat data: its form is found, and it is held to what a conversation must be."""

import unicodedata
from typing import Any, NamedTuple, get_args

import orjson

from tasks.artifacts import canonical, sha256
from tasks.language.chats import Message, Role
from tasks.language.faults import Fault

LONGEST = 50_000  # characters of a message: what is longer is no message but a dump
MOST = 500  # messages of a conversation, which becomes an example for each answer in it
NAME = 200  # characters of an id
FORMS = "`messages`, `prompt` and `completion`, or `conversations`"
ROLES: dict[object, Role] = {role: role for role in get_args(Role)}
SPEAKERS: dict[object, Role] = {"system": "system", "human": "user", "gpt": "assistant"}


class Conversation(NamedTuple):
    """It ends with an answer, and `fact` names what that says."""

    id: str
    messages: tuple[Message, ...]
    fact: str


def parsed(line: bytes) -> dict[str, Any]:
    """The JSON object on a line. Fault: there is none."""
    if b"\0" in line:
        raise Fault("a line holds no NUL", f"one at byte {line.index(0) + 1}")
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise Fault("a line is UTF-8", f"the byte 0x{line[error.start]:02x} at byte {error.start + 1}") from None
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        rule = "a line holds no lone surrogate" if "surrogate" in error.msg else "a line is JSON"
        raise Fault(rule, f"{error.msg} at character {error.colno}") from None
    if not isinstance(value, dict):
        raise Fault("a line is a JSON object", _kind(value))
    return value


def conversation(value: dict[str, Any]) -> Conversation:
    """The conversation in an object of any of the forms; contents without the space around them. Fault: none is there.

    Without an `id` it is called by the digest of its messages, without a `fact` by that of its answer.
    """
    turns = _turns(value)
    if not 0 < len(turns) <= MOST:
        raise Fault(f"a conversation has 1 to {MOST} messages", str(len(turns)))
    messages = tuple(Message(role=role, content=_content(said, place)) for place, (role, said) in enumerate(turns, 1))
    _check_turns([one.role for one in messages])
    fact = value.get("fact")
    return Conversation(
        id=_id(value.get("id"), messages),
        messages=messages,
        fact=fact_of(messages[-1].content) if fact is None else _text(fact, "a fact"),
    )


def text_of(messages: tuple[Message, ...]) -> str:
    """The messages as canonical JSON."""
    return canonical([{"role": one.role, "content": one.content} for one in messages]).decode()


def normalised(text: str) -> str:
    """The text as it is compared: by NFKC, without case, with single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def fact_of(answer: str) -> str:
    """What an answer says, where nobody gave it a name: answers that differ in case and spaces alone say the same."""
    return sha256(normalised(answer).encode())[:16]


def _turns(value: dict[str, Any]) -> list[tuple[Role, object]]:
    """Role and content of each message; the content may still be anything."""
    if "messages" in value:
        return _listed(value, "messages", "role", "content", ROLES)
    if "conversations" in value:
        return _listed(value, "conversations", "from", "value", SPEAKERS)
    if "prompt" in value and "completion" in value:
        return [("user", value["prompt"]), ("assistant", value["completion"])]
    raise Fault(f"a line has {FORMS}", ", ".join(sorted(value)[:8])[:NAME] or "nothing")


def _listed(
    value: dict[str, Any], form: str, role: str, content: str, roles: dict[object, Role]
) -> list[tuple[Role, object]]:
    turns = value[form]
    if not isinstance(turns, list):
        raise Fault(f"`{form}` is a list", _kind(turns))
    found = []
    for place, turn in enumerate(turns, 1):
        if not isinstance(turn, dict) or role not in turn or content not in turn:
            raise Fault(f"each of `{form}` has `{role}` and `{content}`", f"another in message {place}")
        spoken = turn[role]
        if not isinstance(spoken, str) or spoken not in roles:
            raise Fault(f"`{role}` is {', '.join(map(str, roles))}", f"{_shown(spoken)} in message {place}")
        found.append((roles[spoken], turn[content]))
    return found


def _content(said: object, place: int) -> str:
    where = f"message {place}"
    if isinstance(said, list):
        said = "\n".join(_part(part, where) for part in said)
    if not isinstance(said, str):
        raise Fault("a message is text", f"{_kind(said)} in {where}")
    if "\0" in said:
        raise Fault("a line holds no NUL", f"one in {where}")
    if not (said := said.strip()):
        raise Fault("no message is empty", where)
    if len(said) > LONGEST:
        raise Fault(f"a message has at most {LONGEST} characters", f"{len(said)} in {where}")
    return said


def _part(part: object, where: str) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    kind = _shown(part.get("type")) if isinstance(part, dict) else _kind(part)
    raise Fault("a message is text", f"a part that is {kind} in {where}")


def _check_turns(roles: list[Role]) -> None:
    start = int(roles[0] == "system")
    for place, role in enumerate(roles[start:]):
        if role == "system":
            raise Fault("only the first message is the system's", f"message {start + place + 1}")
        if role != ("user", "assistant")[place % 2]:
            raise Fault("user and assistant take turns, the user first", f"{role} in message {start + place + 1}")
    if roles[-1] != "assistant":
        raise Fault("the assistant has the last word", roles[-1])


def _id(given: object, messages: tuple[Message, ...]) -> str:
    if given is None:
        return sha256(text_of(messages).encode())[:16]
    return _text(str(given) if isinstance(given, int) and not isinstance(given, bool) else given, "an id")


def _text(given: object, what: str) -> str:
    if not isinstance(given, str) or not 0 < len(given.strip()) <= NAME or "\0" in given:
        raise Fault(f"{what} is text of 1 to {NAME} characters", _shown(given))
    return given.strip()


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _shown(value: object) -> str:
    return repr(value)[:40] if isinstance(value, str) else _kind(value)
