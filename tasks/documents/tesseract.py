"""The program Tesseract and its languages, as installed here: what it reads depends on both."""

import os
import shutil
import subprocess
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tasks.documents.parsed import PageOptions
from tasks.errors import BadInput, Unavailable

PLACES = ("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tesseract-ocr/4.00/tessdata", "/usr/share/tessdata")
ADVICE = "install tesseract-ocr with its languages, or set pages.ocr: false"


class Tesseract(BaseModel):
    """`folder` holds the trained data of `languages`."""

    model_config = ConfigDict(frozen=True)

    version: str
    folder: str
    languages: tuple[str, ...]


def tesseract(options: PageOptions) -> Tesseract | None:
    """The one that is installed, where the options ask for it; None where none is needed, or there is none.

    Raises BadInput where it has not all of the languages that are asked for.
    """
    program = shutil.which("tesseract") if options.ocr else None
    folder = _folder(program) if program else None
    if program is None or folder is None:
        return None
    known = tuple(sorted({path.stem for path in Path(folder).glob("*.traineddata")} - {"osd"}))
    if missing := [language for language in options.ocr_languages if language not in known]:
        raise BadInput(
            f"Tesseract has no language {missing[0]!r} here, only {', '.join(known) or 'none'}: "
            f"install tesseract-ocr-{missing[0]}, or correct pages.ocr_languages."
        )
    version = _told(program, "--version").partition("\n")[0].strip()
    return Tesseract(version=version, folder=folder, languages=known)


def _folder(program: str) -> str | None:
    told = _told(program, "--list-langs")
    named = [part for part in told.split('"')[1:2] if part]
    for place in [os.environ.get("TESSDATA_PREFIX", ""), *named, *PLACES]:
        if place and any(Path(place).glob("*.traineddata")):
            return place
    return None


def _told(program: str, option: str) -> str:
    try:
        done = subprocess.run([program, option], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{program} {option} does not answer ({error}): {ADVICE}.") from None
    return done.stdout or done.stderr
