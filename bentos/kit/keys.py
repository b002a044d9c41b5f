"""Named API keys: only their SHA-256 is stored; each has scopes and a tenant that the server applies."""

import hashlib
import ipaddress
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.datastructures import Headers
from starlette.types import Scope

from bentos.kit.errors import Problem
from bentos.kit.sessions import SAFE_METHODS, Sessions, foreign, same_origin, token_of
from tasks.errors import BadInput

HINT = 'a JSON list like [{"name": "shop", "sha256": "<64 hex digits>", "scopes": ["predict"], "tenant": "acme"}]'


class Key(BaseModel):
    """Who may call what: `sha256` is the hex digest of the key, which itself is stored nowhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    scopes: frozenset[str]
    tenant: str = ""


CALLER = "penstock.caller"  # in the ASGI scope
ANYONE = Key(name="", sha256="0" * 64, scopes=frozenset())


class Keys:
    """The keys of a service and the sessions opened with them; without keys, every caller on this machine is let in."""

    def __init__(self, keys: list[Key], sessions: Sessions | None = None) -> None:
        self._keys = {key.sha256: key for key in keys}
        self.sessions = sessions or Sessions()

    def __bool__(self) -> bool:
        return bool(self._keys)

    def caller(self, headers: Headers, scope: str, method: str) -> Key:
        """The key of the request, if it has the scope; 401 without a known key, 403 without the scope."""
        key = self.known(headers, method)
        if self._keys and scope not in key.scopes:
            raise Problem(403, f"The API key {key.name!r} lacks the scope {scope!r}.")
        return key

    def known(self, headers: Headers, method: str) -> Key:
        """The key that the request carries, or the one that opened its session; 401 without a known one."""
        if not self._keys:
            if not _own(headers.get("host", "")):
                raise Problem(403, "Without API keys this answers to 127.0.0.1 and localhost only; use one of these.")
            if method not in SAFE_METHODS and foreign(headers):
                raise Problem(403, "A page of another site sent this; a service without API keys refuses that.")
            return ANYONE
        given = headers.get("x-api-key") or _bearer(headers.get("authorization", ""))
        key = self.named(given) if given else self._visitor(headers, method)
        if key is None:
            message = "This needs an API key, sent as X-API-Key or as Authorization: Bearer."
            raise Problem(401, message, headers={"WWW-Authenticate": "Bearer"})
        return key

    def named(self, given: str) -> Key | None:
        return self._keys.get(hashlib.sha256(given.encode()).hexdigest())

    def _visitor(self, headers: Headers, method: str) -> Key | None:
        """The key behind the session cookie, which a browser would send for pages of other origins, too."""
        token = token_of(headers)
        key = self._keys.get(self.sessions.key(token) or "") if token else None
        if key and method not in SAFE_METHODS and not same_origin(headers):
            raise Problem(403, "A session is used from the service's own page only; send an API key instead.")
        return key


def caller(scope: Scope) -> Key:
    """Whose request it is; ANYONE where no keys are in use."""
    key: Key = scope.get(CALLER, ANYONE)
    return key


@lru_cache
def _own(host: str) -> bool:
    """Whether a Host header names this machine: a foreign name may be pointed at it, and its pages would be let in."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _loopback(name)


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def read_keys(source: str | None) -> Keys:
    """Keys from a JSON file, or from the JSON itself; none where there is no source."""
    if not source:
        return Keys([])
    try:
        text = source.encode() if source.lstrip().startswith("[") else Path(source).read_bytes()
        keys = TypeAdapter(list[Key]).validate_python(orjson.loads(text))
    except OSError as error:
        raise BadInput(f"The API keys cannot be read from {source}: {error.strerror}; it must hold {HINT}.") from None
    except (orjson.JSONDecodeError, ValidationError):
        raise BadInput(f"PENSTOCK_API_KEYS is unusable; it must be, or name a file with, {HINT}.") from None
    return Keys(keys)


def check_binding(host: str, keys: Keys) -> None:
    """Refuse to listen beyond this machine without keys."""
    if not keys and not _loopback(host):
        raise BadInput(
            f"The service is bound to {host}, which others can reach, but has no API keys; set PENSTOCK_API_KEYS "
            f"to {HINT} or to a file that holds one, or bind it to 127.0.0.1."
        )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
