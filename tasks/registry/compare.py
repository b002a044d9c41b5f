"""Two versions side by side, and a decision as a table. From the store alone."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Store
from tasks.errors import NotFound
from tasks.registry import ledger, records
from tasks.registry.differences import differences
from tasks.registry.gate import Decision
from tasks.registry.records import VersionRecord
from tasks.statistics import Interval

Rows = list[tuple[str, ...]]


class Comparison(BaseModel):
    """Metrics of two versions, each on its own test rows or questions; what differs in their making; and what the gate
    found where it put the one against the other, on the same rows."""

    model_config = ConfigDict(frozen=True)

    release: str
    left: int
    right: int
    metrics: dict[str, tuple[Interval | None, Interval | None]]
    facts: dict[str, tuple[str, str]]
    making: dict[str, tuple[str, str]] = {}
    gate: str | None = None

    def rows(self) -> Rows:
        """For a table: name, left, right; a fact that differs is marked."""
        metrics = [(name, *(str(side) if side else "-" for side in sides)) for name, sides in self.metrics.items()]
        facts = self.facts | self.making
        return metrics + [
            (f"{name} *" if left != right else name, left, right) for name, (left, right) in facts.items()
        ]


def compare(store: Store, release: str, left: int, right: int) -> Comparison:
    one, two = records.version(store, release, left), records.version(store, release, right)
    names = list(dict.fromkeys([*one.metrics, *two.metrics]))
    return Comparison(
        release=release,
        left=left,
        right=right,
        metrics={name: (one.metrics.get(name), two.metrics.get(name)) for name in names},
        facts={name: (value, _facts(two).get(name, "-")) for name, value in _facts(one).items()},
        making=_making(store, one, two),
        gate=_faced(store, release, {left, right}),
    )


def _making(store: Store, one: VersionRecord, two: VersionRecord) -> dict[str, tuple[str, str]]:
    try:
        return differences(store.path(one.folder), store.path(two.folder))
    except NotFound:  # the files of a forgotten version were removed
        return {}


def _faced(store: Store, release: str, pair: set[int]) -> str | None:
    """The newest decision about the one against the other; None where there never was one."""
    digests = [entry.decision for entry in ledger.entries(store, release) if entry.decision]
    for digest in dict.fromkeys(reversed(digests)):
        said = records.decision(store, release, digest)
        if {int(said.evidence.candidate), said.evidence.champion} == pair:
            return f"The gate, on the same rows: {said.decision.reasons[0].text}"
    return None


def decision_rows(decision: Decision) -> Rows:
    """For a table: check, number, bound, whether it held, the sentence; failed checks first."""
    ordered = sorted(decision.reasons, key=lambda reason: reason.ok)
    return [
        (
            reason.name,
            "-" if reason.number is None else f"{reason.number:.4g}",
            reason.bound,
            "yes" if reason.ok else "NO",
            reason.text,
        )
        for reason in ordered
    ]


def _facts(record: VersionRecord) -> dict[str, str]:
    known: dict[str, Any] = {
        "created": record.created,
        "snapshot": record.snapshot,
        "seed": record.seed,
        "git.commit": record.tags.get("git.commit", "-")[:12],
        "code.digest": record.tags.get("code.digest", "-")[:12],
        "data.digest": record.tags.get("data.digest", "-")[:12],
        "run": record.run_id,
    }
    return {name: str(value) for name, value in known.items()}
