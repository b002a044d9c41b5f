"""Downloads: streamed to a temporary file, held to a sha256, remembered, so that the next run asks nobody."""

import logging
import tempfile
from pathlib import Path

import httpx

from tasks.artifacts import Artifact, current
from tasks.errors import BadInput, Unavailable
from tasks.sources.catalog import Dataset, UrlPart, UrlSource, expand, masked
from tasks.sources.raw import RawFile
from tasks.sources.state import Held, held, hold, remote_key

log = logging.getLogger("penstock.sources")
TIMEOUT = httpx.Timeout(60, connect=15)
PROGRESS = 32 << 20  # bytes between two lines of progress


def fetch_url(dataset: Dataset, part: str, max_age: float) -> tuple[RawFile, str | None]:
    """One part by URL, and a note where there is something to say.

    With a stated sha256 other bytes are an error. Without one the first download is trusted and remembered; later ones
    that differ are taken, and said.
    """
    assert isinstance(dataset.source, UrlSource)
    source, key = dataset.source.parts[part], remote_key(dataset, part)
    shown = masked(source.url)
    before = held(key, float("inf"))
    known = before if source.sha256 else held(key, max_age)
    if known and source.sha256 in (None, known.sha256):
        return RawFile(part=part, origin=shown, artifact=known.artifact, fetched=True), None
    artifact = download(expand(source.url), shown)
    note = _judged(source, artifact, before, shown)
    hold(key, artifact)
    return RawFile(part=part, origin=shown, artifact=artifact, fetched=True), note


def download(url: str, shown: str) -> Artifact:
    """The bytes behind a URL, in the store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "download"
        try:
            with httpx.stream("GET", url, follow_redirects=True, timeout=TIMEOUT) as response:
                _refuse(response, shown)
                _save(response, path, shown)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise BadInput(f"{shown} is not a usable address ({error}); correct the dataset's url.") from None
        except httpx.TransportError as error:
            raise Unavailable(
                f"{shown} cannot be reached ({type(error).__name__}: {masked(str(error))}); try again later, "
                "or give the file by --file."
            ) from None
        return current().put_file("raw", path)


def _judged(source: UrlPart, artifact: Artifact, before: Held | None, shown: str) -> str | None:
    """Hold a download to the digest that is stated, or to the one seen first."""
    if source.sha256 and artifact.digest != source.sha256:
        raise BadInput(
            f"{shown} gave a file with sha256 {artifact.digest}; the dataset states {source.sha256}. "
            "If the new file is right, put its sha256 into the dataset; else give the old one by --file."
        )
    if source.sha256:
        return None
    if before is None:
        return f"{shown}: no sha256 is stated, so the first download is trusted and remembered: {artifact.digest}."
    if before.sha256 != artifact.digest:
        return f"{shown} has changed since it was last asked: sha256 {before.sha256} then, {artifact.digest} now."
    return None


def _refuse(response: httpx.Response, shown: str) -> None:
    status = f"{shown} answered {response.status_code} {response.reason_phrase}"
    if response.status_code >= 500 or response.status_code in (408, 429):
        raise Unavailable(f"{status}; try again later, or give the file by --file.")
    if not response.is_success:
        raise BadInput(f"{status}; correct the dataset's url, or give the file by --file.")


def _save(response: httpx.Response, path: Path, shown: str) -> None:
    expected = int(response.headers.get("content-length", 0))
    done, told = 0, 0
    with path.open("wb") as file:
        for chunk in response.iter_bytes():
            file.write(chunk)
            done += len(chunk)
            if done - told >= PROGRESS:
                told = done
                log.info("%s: %d of %s MiB", shown, done >> 20, expected >> 20 or "?")
