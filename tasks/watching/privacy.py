"""Personal fields: what the contract says of them is done before a line of the log is made, and before the shadow's.

The pseudonym of a value is HMAC-SHA256 with a secret key (PENSTOCK_PSEUDONYM_KEY): equal values of a column stay equal,
and nobody without the key can try out values. Without a key nothing may be hashed: then the field is dropped.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tasks.watching.log import Record

WITHHELD = "(personal)"
TOLD = ("prediction", "probability", "probabilities", "unseen", "cut")  # what is drafted or explained may quote a field


@dataclass(frozen=True)
class Privacy:
    """`rules`: column to `hash` or `drop`."""

    rules: Mapping[str, str]
    key: bytes | None

    def hide(self, record: Record) -> None:
        """Take the personal fields out of a prediction that is about to be logged."""
        if not self.rules:
            return
        if isinstance(record.inputs, dict):
            record.inputs = self.inputs(record.inputs)
        if isinstance(record.output, dict):
            record.output = self.output(record.output)
        if record.features:
            record.features = {name: value for name, value in record.features.items() if name not in self.rules}

    def inputs(self, row: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in row.items() if name not in self.rules}
        hashed = {name: self.pseudonym(name, row[name]) for name in self.hashed if row.get(name) is not None}
        return kept | hashed

    def output(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """An answer without what may quote a personal field."""
        told = {name: found[name] for name in TOLD if name in found}
        if "unseen" in told:
            told["unseen"] = self.unseen(told["unseen"])
        return told | ({"error": WITHHELD} if "error" in found else {})

    def unseen(self, levels: Iterable[str]) -> list[str]:
        """Levels that training never saw, `column=level`, without those of personal columns."""
        starts = {f"{name}=" for name in self.rules}
        return [next((f"{one}{WITHHELD}" for one in starts if level.startswith(one)), level) for level in levels]

    @property
    def hashed(self) -> list[str]:
        return [name for name, rule in self.rules.items() if rule == "hash"] if self.key else []

    def pseudonym(self, column: str, value: Any) -> str:
        """128 bits in hexadecimal; the column is part of it, so that columns cannot be matched with each other."""
        assert self.key is not None
        return hmac.digest(self.key, orjson.dumps([column, value]), "sha256")[:16].hex()


def privacy_of(input_schema: Iterable[Mapping[str, Any]], key: bytes | None) -> Privacy:
    """The rules that release.json carries."""
    return Privacy({str(one["name"]): str(one["personal"]) for one in input_schema if one.get("personal")}, key)
