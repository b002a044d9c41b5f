"""Documents that a service took in, and those to be forgotten: named objects, which the next scan of the corpus reads.

Nothing that somebody else may be writing is read and written again: a record is written by uploads alone, a deletion
is a mark beside it, what is forgotten is an object of its own, and what became of uploads is told per release."""

import json
import re
import time
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, Store, canonical, checked_join, sha256
from tasks.errors import BadInput, NotFound, Refused

SHARED = "shared"  # the folder of those that belong to no tenant
LONGEST = 200  # bytes of a name: file systems take 255, and suffixes are put behind it
UNFIT = {"Cc", "Cs", "Zl", "Zp"}  # controls, halves of a letter, ends of lines and paragraphs
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
ID = re.compile(r"[0-9a-f]{32}")


class Upload(BaseModel):
    """A document taken in by a service. `digest` is its revision; `reason` says why it could not be read.

    Releases on one dataset may read it with different options. `failed`: one of them could not read this revision,
    which somebody may want to mend; `indexed`: one has it, and none failed. The service that answers from it knows
    better."""

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
    """What a release's last index run made of a revision."""

    digest: str
    reason: str | None = None


class Revision(Protocol):
    """A document by its path in the corpus and the digest of its bytes."""

    @property
    def path(self) -> str: ...

    @property
    def digest(self) -> str: ...


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
    _sent(store, dataset, upload)  # first: a record without it would be indexed and withheld for ever
    store.write(_place(dataset, upload.id), upload.model_dump_json().encode())
    _sent(store, dataset, upload)  # again: it may have been deleted meanwhile, which is about older revisions
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
        upload = _read(store, _place(dataset, id), withdrawn(store, dataset))
    except NotFound:
        raise missing from None
    if upload.status == "deleted" or tenant not in (None, upload.tenant):
        raise missing
    return _told(upload, _settled(store, dataset))


def delete(store: Store, dataset: str, id: str, tenant: str | None) -> Upload:
    """Take an upload out of the corpus; the next index run drops what was made of it.

    A revision that is sent meanwhile stays: whoever sent it was told that it is taken in."""
    before = withdrawn(store, dataset).marks
    upload = find(store, dataset, id, tenant)
    store.write(_mark_place(dataset, mark(upload.path)), b"")
    for again in before:
        if again.startswith(mark(upload.path, "")):
            store.remove(_mark_place(dataset, again))
    now = Upload.model_validate_json(store.read(_place(dataset, id)))
    if now.digest != upload.digest:
        _sent(store, dataset, now)
    return upload.model_copy(update={"status": "deleted", "time": time.time()})


def withdrawn(store: Store, dataset: str) -> Withdrawn:
    """What was taken out: one call lists it, and nothing is read."""
    return Withdrawn(frozenset(name.rpartition("/")[2] for name in store.list(f"withdrawn/{dataset}")))


def settle(store: Store, dataset: str, release: str, digests: Mapping[str, str], problems: Mapping[str, str]) -> None:
    """After an index run of a release: `digests` are the revisions of its corpus by path, `problems` the reasons."""
    settled = {
        one.id: Settled(digest=one.digest, reason=problems.get(one.path)).model_dump()
        for one in listed(store, dataset, None)
        if digests.get(one.path) == one.digest
    }
    store.write(f"taken/{dataset}/{release}.json", canonical(settled))


def forgotten(store: Store, dataset: str) -> Forgotten:
    lists = [Forgotten.model_validate_json(store.read(name)) for name in store.list(f"forgotten/{dataset}")]
    return Forgotten(
        digests=sorted({digest for one in lists for digest in one.digests}),
        paths=sorted({path for one in lists for path in one.paths}),
    )


def forget(store: Store, dataset: str, digests: Iterable[str] = (), paths: Iterable[str] = ()) -> Forgotten:
    """Keep documents out of every later corpus; what was made of them stays until it is removed.

    An object of its own, so that two who forget at once do not undo each other."""
    data = canonical(Forgotten(digests=sorted({*digests}), paths=sorted({*paths})).model_dump())
    store.create(f"forgotten/{dataset}/{sha256(data)[:32]}.json", data)
    return forgotten(store, dataset)


def refuse_forgotten(store: Store, dataset: str, documents: Iterable[Revision]) -> None:
    """Refused where a corpus that was read a while ago holds what was forgotten since."""
    gone = forgotten(store, dataset)
    if found := sorted(one.path for one in documents if gone.holds(one.path, one.digest)):
        raise Refused(f"{', '.join(found)} of {dataset} was forgotten meanwhile; train again.")


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


def _mark_place(dataset: str, name: str) -> str:
    return f"withdrawn/{dataset}/{name}"


def _sent(store: Store, dataset: str, upload: Upload) -> None:
    """Mark the revision as sent since, where older ones were withdrawn."""
    if withdrawn(store, dataset).holds(upload.path, upload.digest):
        store.write(_mark_place(dataset, mark(upload.path, upload.digest)), b"")


def _all(store: Store, dataset: str) -> list[Upload]:
    gone = withdrawn(store, dataset)
    found = (_read(store, name, gone) for name in store.list(f"uploads/{dataset}"))
    return sorted(found, key=lambda one: one.path)


def _read(store: Store, name: str, gone: Withdrawn) -> Upload:
    """An upload as it was sent, or deleted since."""
    upload = Upload.model_validate_json(store.read(name))
    return upload.model_copy(update={"status": "deleted"}) if gone.holds(upload.path, upload.digest) else upload


def _settled(store: Store, dataset: str) -> dict[tuple[str, str], Settled]:
    """By upload and revision; a release that could not read it comes before one that did."""
    found: dict[tuple[str, str], Settled] = {}
    for name in store.list(f"taken/{dataset}"):
        for id, told in json.loads(store.read(name)).items():
            one = Settled.model_validate(told)
            known = found.get((id, one.digest))
            if known is None or known.reason is None:
                found[id, one.digest] = one
    return found


def _told(upload: Upload, settled: Mapping[tuple[str, str], Settled]) -> Upload:
    """The upload with what index runs made of this revision."""
    made = settled.get((upload.id, upload.digest))
    if upload.status != "pending" or made is None:
        return upload
    return upload.model_copy(update={"status": "failed" if made.reason else "indexed", "reason": made.reason})
