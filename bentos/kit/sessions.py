"""Sessions of browsers: a key is exchanged once for a random cookie, so that no script ever holds the key."""

import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from tasks.artifacts import sha256

LIFETIME_S = 12 * 3600
MOST = 10_000
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Sessions:
    """In memory, so that a restart ends them all; knows only the digests of tokens and of keys."""

    def __init__(self, lifetime_s: float = LIFETIME_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.lifetime_s, self.clock = lifetime_s, clock
        self._open: dict[str, tuple[str, float]] = {}  # token's digest: key's digest, expiry; oldest first

    def open(self, key: str) -> str:
        """A new token for the key of this digest; the oldest session gives way to the ten-thousandth."""
        self._prune()
        token = secrets.token_urlsafe(32)
        self._open[sha256(token.encode())] = key, self.clock() + self.lifetime_s
        return token

    def key(self, token: str) -> str | None:
        """The digest of the key that opened the session; None where there is none, or none any more."""
        key, expiry = self._open.get(sha256(token.encode()), (None, 0.0))
        return key if self.clock() < expiry else None

    def close(self, token: str) -> None:
        self._open.pop(sha256(token.encode()), None)

    def _prune(self) -> None:
        while self._open:
            oldest = next(iter(self._open))
            if len(self._open) < MOST and self.clock() < self._open[oldest][1]:
                return
            del self._open[oldest]


def cookie_name(headers: Headers) -> str:
    """One per port: browsers share cookies between the services of one host."""
    port = headers.get("host", "").rpartition(":")[2]
    return f"penstock_session_{port}" if port.isdigit() else "penstock_session"


def token_of(headers: Headers) -> str:
    """The session token that the request carries; empty without one."""
    return cookie_parser(headers.get("cookie", "")).get(cookie_name(headers), "")


def same_origin(headers: Headers) -> bool:
    """Whether a browser says that a page of this very service sent this; plain HTTP comes without Sec-Fetch-Site."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin", "")
    return bool(origin) and origin.partition("://")[2] == headers.get("host")


def foreign(headers: Headers) -> bool:
    """Whether a browser says that a page of another origin sent this; what is no browser sends neither header."""
    site = headers.get("sec-fetch-site")
    if site is None and "origin" in headers:
        return not same_origin(headers)
    return site in ("cross-site", "same-site")
