"""Markdown files as PDF, where a folder asks for it."""

from pathlib import PurePosixPath

from tasks.artifacts import Artifact, Store
from tasks.documents import jobs
from tasks.documents.pieces import Pieces
from tasks.documents.pool import Work, run
from tasks.documents.taking import Taken, reference
from tasks.errors import Unavailable
from tasks.planning import closure
from tasks.sources.folders import shown

MARKDOWN = (".md", ".markdown")


def rendered(taken: Taken, store: Store) -> Taken:
    """The same documents, each Markdown file under the name of the PDF that was made of it.

    Unavailable where one could not be rendered now but may be another time: it must not pass for removed."""
    sources = {path: one for path, one in taken.artifacts.items() if PurePosixPath(path).suffix.lower() in MARKDOWN}
    done = Taken({path: one for path, one in taken.artifacts.items() if path not in sources}, taken.notes)
    known = Pieces(store, "rendered", closure("tasks.documents.guides"))
    waiting = {}
    for path, source in sorted(sources.items()):
        target = target_of(path)
        if target in done.artifacts or target in waiting:
            done.notes.append(f"{shown(path)} is left out: there is a {shown(target)} beside it.")
        elif (data := known.get(source.digest, PurePosixPath(path).stem)) is not None:
            done.artifacts[target] = stored(data, store)
        else:
            waiting[target] = (path, source)
    works = [work(path, source, store) for path, source in waiting.values()]
    for result in run(jobs.render_markdown, works, preload=("tasks.documents.guides",)):
        target, (path, source) = [*waiting.items()][result.number]
        if result.passing:
            raise Unavailable(
                f"{shown(path)}: {result.problem}; run again, or leave it out by the dataset's `exclude`."
            )
        if result.body is None:
            done.notes.append(f"{shown(path)} is left out: {result.problem}")
            continue
        known.put(result.body, source.digest, PurePosixPath(path).stem)
        done.artifacts[target] = stored(result.body, store)
    return done


def target_of(path: str) -> str:
    """The path of a file of the folder after rendering."""
    pure = PurePosixPath(path)
    return str(pure.with_suffix(".pdf")) if pure.suffix.lower() in MARKDOWN else path


def work(path: str, source: Artifact, store: Store) -> Work:
    return Work(
        path=store.path(source), size=source.meta["size"], told={"title": PurePosixPath(path).stem, "name": path}
    )


def stored(data: bytes, store: Store) -> Artifact:
    return reference(store.put_bytes("documents", data).digest, len(data))
