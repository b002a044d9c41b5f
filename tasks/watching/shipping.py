"""Closed segments go to the store as `predictions/<release>/<replica>/<name>.jsonl`. Services ship: no pyarrow."""

from contextlib import suppress
from pathlib import Path

from tasks.artifacts import Store
from tasks.watching.log import CLOSED, folder, shelve


def place(release: str) -> str:
    """Where the log of a release lies in the store."""
    return f"predictions/{release}"


def ship(store: Store, root: Path, release: str, replica: str) -> int:
    """Move a replica's closed segments, and what it left open when it was killed, to the store; how many there were.

    A kill leaves a segment here, there, or in both; the next call removes the one here. Raises what the store raises.
    """
    where = folder(root, release) / replica
    shelve(where)
    closed = sorted(where.glob(f"*{CLOSED}"))
    for path in closed:
        with suppress(FileNotFoundError):  # somebody else ships, too
            if data := path.read_bytes():
                store.create(f"{place(release)}/{replica}/{path.name}", data)
            path.unlink()
    return len(closed)


def ship_left(store: Store, root: Path, release: str) -> int:
    """The same for every replica that logged on this machine, be its service there or not; how many there were."""
    return sum(ship(store, root, release, path.name) for path in sorted(folder(root, release).glob("*")))


def shipped(store: Store, release: str) -> list[str]:
    """The names of the segments in the store, in order of writing as far as the replicas' clocks agree."""
    found = [name for name in store.list(place(release)) if name.endswith(CLOSED)]
    return sorted(found, key=lambda name: (name.rpartition("/")[2], name))
