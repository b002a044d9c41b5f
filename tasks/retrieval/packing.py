"""A shard as one small archive: the store keeps it whole, and what opens it works on a copy of its own."""

import zipfile
from pathlib import Path

from tasks.artifacts import checked_join

BLOCK = 1 << 16


def pack(folder: Path, archive: Path) -> None:
    """Pack all files; the same files give the same bytes. Level 1 takes out the room for more; vectors stay as large
    whatever the level."""
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            target.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=1)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack into `folder`; blocks of zeros stay holes, since most of a small shard is room for more."""
    zeros = bytes(BLOCK)
    with zipfile.ZipFile(archive) as source:
        for entry in source.infolist():
            path = checked_join(folder, entry.filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            with source.open(entry) as packed, path.open("wb") as file:
                while block := packed.read(BLOCK):
                    if block == zeros[: len(block)]:
                        file.seek(len(block), 1)
                    else:
                        file.write(block)
                file.truncate(entry.file_size)
