"""Documents that a service took in, and those to be forgotten: named objects, which the next scan of the corpus reads.

An upload's record is written by uploads and deletions alone, and what became of it by index runs alone: no two writers
meet, so none needs a lock."""

import json
import re
import time
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, Store, canonical, checked_join, sha256
from tasks.errors import BadInput, NotFound

SHARED = "shared"  # the folder of those that belong to no tenant
LONGEST = 200  # bytes of a name: file systems take 255, and suffixes are put behind it
UNFIT = {"Cc", "Cs", "Zl", "Zp"}  # controls, halves of a letter, ends of lines and paragraphs
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
ID = re.compile(r"[0-9a-f]{32}")


class Upload(BaseModel):
    """A document taken in by a service. `digest` is its revision; `reason` says why it could not be read."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    id: str
    name: str
    tenant: str
    size: int
    digest: str
    artifact: Artifact
    status: Literal["pending", "indexed", "failed", "deleted"] = "pending"
    reason: str | None = None
    time: float

    @property
    def path(self) -> str:
        """Its path in the corpus."""
        return _path(self.tenant, self.name)


class Settled(BaseModel):
    """What an index run made of a revision."""

    digest: str
    reason: str | None = None


class Forgotten(BaseModel):
    """Documents that no corpus may hold again, by the digest of their bytes or by path."""

    digests: list[str] = []
    paths: list[str] = []

    def holds(self, path: str, digest: str) -> bool:
        return path in self.paths or digest in self.digests


class Withdrawn(NamedTuple):
    """Uploads that were taken out: all revisions of a path, but for those sent since.

    Kept for good, because a rollback may bring back an index that holds one."""

    marks: frozenset[str] = frozenset()

    def holds(self, path: str, digest: str) -> bool:
        return mark(path) in self.marks and mark(path, digest) not in self.marks

    def also(self, path: str) -> "Withdrawn":
        """With all revisions of this path."""
        kept = {one for one in self.marks if not one.startswith(mark(path, ""))}
        return Withdrawn(frozenset({*kept, mark(path)}))


def mark(path: str, digest: str | None = None) -> str:
    """The name of a mark, which does not tell the path: that it was withdrawn, or that a revision was sent since."""
    name = sha256(path.encode())[:32]
    return name if digest is None else f"{name}-{digest}"


def add(store: Store, dataset: str, name: str, data: bytes, tenant: str = "") -> Upload:
    """Take a document in; the tenant's upload of the same name gets a new revision. The next index run reads it."""
    name, tenant = checked_name(name), checked_tenant(tenant)
    if not data:
        raise BadInput(f"{name} is empty; upload a document with content.")
    if forgotten(store, dataset).holds(_path(tenant, name), sha256(data)):
        raise BadInput(f"{name} was forgotten on request and cannot be added again; ask whoever runs this service.")
    artifact = store.put_bytes("documents", data)
    upload = Upload(
        id=sha256(canonical([tenant, name]))[:32],
        name=name,
        tenant=tenant,
        size=len(data),
        digest=artifact.digest,
        artifact=artifact,
        time=time.time(),
    )
    _write(store, dataset, upload)
    if mark(upload.path) in withdrawn(store, dataset).marks:
        store.write(f"withdrawn/{dataset}/{mark(upload.path, upload.digest)}", b"")
    return upload


def listed(store: Store, dataset: str, tenant: str | None) -> list[Upload]:
    """The uploads of a tenant ("": those of none; None: all), by path; what was deleted is not among them."""
    settled = _settled(store, dataset)
    mine = [one for one in _all(store, dataset) if one.status != "deleted" and tenant in (None, one.tenant)]
    return [_told(one, settled) for one in mine]


def deleted(store: Store, dataset: str) -> list[Upload]:
    """The uploads that were taken out, by path; an index may still hold them."""
    return [one for one in _all(store, dataset) if one.status == "deleted"]


def find(store: Store, dataset: str, id: str, tenant: str | None) -> Upload:
    """An upload that the tenant may see (None: any); another's is as if it were not there."""
    missing = NotFound(f"There is no document {id[:40]!r} among your uploads; list them to see their ids.")
    if not ID.fullmatch(id):
        raise missing
    try:
        upload = _read(store, _place(dataset, id))
    except NotFound:
        raise missing from None
    if upload.status == "deleted" or tenant not in (None, upload.tenant):
        raise missing
    return _told(upload, _settled(store, dataset))


def delete(store: Store, dataset: str, id: str, tenant: str | None) -> Upload:
    """Take an upload out of the corpus; the next index run drops what was made of it."""
    upload = find(store, dataset, id, tenant).model_copy(update={"status": "deleted", "time": time.time()})
    store.write(f"withdrawn/{dataset}/{mark(upload.path)}", b"")
    for again in withdrawn(store, dataset).marks:
        if again.startswith(mark(upload.path, "")):
            store.remove(f"withdrawn/{dataset}/{again}")
    _write(store, dataset, upload)
    return upload


def withdrawn(store: Store, dataset: str) -> Withdrawn:
    """What was taken out: one call lists it, and nothing is read."""
    return Withdrawn(frozenset(name.rpartition("/")[2] for name in store.list(f"withdrawn/{dataset}")))


def settle(store: Store, dataset: str, digests: Mapping[str, str], problems: Mapping[str, str]) -> None:
    """After an index run: `digests` are the revisions of its corpus by path, `problems` the reasons by path."""
    settled = {
        one.id: Settled(digest=one.digest, reason=problems.get(one.path)).model_dump()
        for one in listed(store, dataset, None)
        if digests.get(one.path) == one.digest
    }
    store.write(f"settled/{dataset}.json", canonical(settled))


def forgotten(store: Store, dataset: str) -> Forgotten:
    try:
        return Forgotten.model_validate_json(store.read(f"forgotten/{dataset}.json"))
    except NotFound:
        return Forgotten()


def forget(store: Store, dataset: str, digests: Iterable[str] = (), paths: Iterable[str] = ()) -> Forgotten:
    """Keep documents out of every later corpus; what was made of them stays until it is removed."""
    known = forgotten(store, dataset)
    both = Forgotten(
        digests=sorted({*known.digests, *digests}),
        paths=sorted({*known.paths, *paths}),
    )
    store.write(f"forgotten/{dataset}.json", canonical(both.model_dump()))
    return both


def checked_name(name: str) -> str:
    """The last part of a name from outside; BadInput where nothing safe is left of it.

    What joins letters or emoji and is not seen is part of a name; what turns the writing around is not."""
    base = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1]).strip()
    if not base or base.startswith(".") or any(map(_unfit, base)) or not any(map(str.isprintable, base)):
        raise BadInput(f"{name[:80]!r} is no name for a document; use one like report.pdf, that no dot begins.")
    if len(base.encode()) > LONGEST:
        raise BadInput(f"The name {base[:40]!r}... is longer than {LONGEST} bytes; shorten it.")
    return checked_join(Path("/uploads"), base).name


def _unfit(letter: str) -> bool:
    return unicodedata.category(letter) in UNFIT or unicodedata.bidirectional(letter) in TURNING


def checked_tenant(tenant: str) -> str:
    """A tenant is a folder of the corpus, so its name is held to the same rules."""
    if tenant == SHARED or (tenant and checked_name(tenant) != tenant):
        raise BadInput(f"{tenant[:80]!r} cannot be a tenant's name; use a plain word other than {SHARED!r}.")
    return tenant


def _path(tenant: str, name: str) -> str:
    return f"uploads/{tenant or SHARED}/{name}"


def _place(dataset: str, id: str) -> str:
    return f"uploads/{dataset}/{id}.json"


def _all(store: Store, dataset: str) -> list[Upload]:
    return sorted((_read(store, name) for name in store.list(f"uploads/{dataset}")), key=lambda one: one.path)


def _read(store: Store, name: str) -> Upload:
    return Upload.model_validate_json(store.read(name))


def _write(store: Store, dataset: str, upload: Upload) -> None:
    store.write(_place(dataset, upload.id), upload.model_dump_json().encode())


def _settled(store: Store, dataset: str) -> dict[str, Settled]:
    try:
        found = json.loads(store.read(f"settled/{dataset}.json"))
    except NotFound:
        return {}
    return {id: Settled.model_validate(one) for id, one in found.items()}


def _told(upload: Upload, settled: dict[str, Settled]) -> Upload:
    """The upload with what the last index run made of this revision."""
    made = settled.get(upload.id)
    if upload.status != "pending" or made is None or made.digest != upload.digest:
        return upload
    return upload.model_copy(update={"status": "failed" if made.reason else "indexed", "reason": made.reason})
