"""The documents of a dataset as they are now: its folder and its uploads, less what was forgotten."""

from tasks.artifacts import canonical, current, sha256
from tasks.documents import uploads
from tasks.documents.manifest import Corpus, Document
from tasks.documents.rendering import rendered, target_of
from tasks.documents.taking import Taken, take
from tasks.errors import BadInput
from tasks.sources.catalog import ONE, Dataset, FolderSource, masked
from tasks.sources.folders import look, shown, states


def corpus_state(dataset: Dataset, files: dict[str, str]) -> str:
    """A digest that changes when the corpus does; only files that changed since the last look are read."""
    source, store = folder_source(dataset, files), current()
    uploaded = {one.path: one.digest for one in uploads.listed(store, dataset.name, None)}
    gone = uploads.forgotten(store, dataset.name).model_dump()
    return sha256(canonical([states(look(source)), uploaded, gone, source.render, source.tenants]))


def scan(dataset: Dataset, files: dict[str, str]) -> Corpus:
    """All documents with their bytes in the store; what cannot be taken is told in `notes`.

    `files` may name another folder, as part "data". Raises BadInput where there is nothing to read.
    """
    source, store = folder_source(dataset, files), current()
    gone, listing = uploads.forgotten(store, dataset.name), look(source)
    for found in (one for one in listing.files if path_of(one.path, source) in gone.paths):
        listing.note(found.path, "a document at that path was forgotten; a new one needs another name")
    listing.files = [found for found in listing.files if path_of(found.path, source) not in gone.paths]
    housed = [found for found in listing.files if not source.tenants or _tenant(found.path, source)]
    homeless, listing.files = len(listing.files) - len(housed), housed
    taken = take(listing, store, frozenset(gone.digests))
    if source.render:
        taken = rendered(taken, store)
    documents = {
        path: Document(path=path, digest=one.digest, size=one.meta["size"], artifact=one, tenant=_tenant(path, source))
        for path, one in taken.artifacts.items()
    }
    if homeless:  # without a tenant they would be everybody's
        what = (
            "1 document is left out: it stands" if homeless == 1 else f"{homeless} documents are left out: they stand"
        )
        taken.notes.append(f"{what} in no tenant's folder.")
    documents |= _uploaded(dataset, taken)
    kept = [one for path, one in sorted(documents.items()) if not gone.holds(path, one.digest)]
    folder = masked(source.path)
    if not kept:
        raise BadInput(f"{folder} holds no documents to read ({len(taken.notes)} left out); put some there.")
    digest = sha256(canonical([[one.path, one.digest, one.tenant] for one in kept]))
    told = {"title": dataset.title, "type": "folder", "licence": dataset.licence, "folder": folder}
    return Corpus(dataset=dataset.name, documents=kept, digest=digest, source=told, notes=taken.notes)


def folder_source(dataset: Dataset, files: dict[str, str]) -> FolderSource:
    """The dataset's folder, or the one that --file names in its place."""
    if not isinstance(dataset.source, FolderSource):
        raise BadInput(f"{dataset.name} is no folder of documents; a recipe of kind documents needs one.")
    if unknown := [part for part in files if part != ONE]:
        raise BadInput(f"{dataset.name} has no part {unknown[0]!r}; write --file FOLDER.")
    return dataset.source.model_copy(update={"path": files[ONE]}) if files else dataset.source


def path_of(path: str, source: FolderSource) -> str:
    """The path in the corpus of a file of the folder."""
    return target_of(path) if source.render else path


def _tenant(path: str, source: FolderSource) -> str:
    return path.partition("/")[0] if source.tenants and "/" in path else ""


def _uploaded(dataset: Dataset, taken: Taken) -> dict[str, Document]:
    found = {}
    for one in uploads.listed(current(), dataset.name, None):
        if not current().whole(one.artifact):
            taken.notes.append(f"{shown(one.path)} is left out: its bytes are gone; upload it again.")
            continue
        if one.path in taken.artifacts:
            taken.notes.append(f"{shown(one.path)} of the folder is left out: an upload has that path.")
        found[one.path] = Document(
            path=one.path, digest=one.digest, size=one.size, artifact=one.artifact, tenant=one.tenant, uploaded=True
        )
    return found
