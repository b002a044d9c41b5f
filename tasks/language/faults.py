"""What is wrong with a line or an example of chat data, and how often each rule was broken."""

from collections.abc import Iterable

from pydantic import BaseModel

from tasks.errors import BadInput

SHOWN = 12


class Fault(BadInput):
    """A rule that one line or example breaks: it is put aside, and the others are read on."""

    def __init__(self, rule: str, got: str) -> None:
        super().__init__(f"{rule}, got {got}")
        self.rule, self.got = rule, got


class Cause(BaseModel, frozen=True):
    """One rule: how many broke it, and the first that did."""

    rule: str
    rows: int
    example: str

    def __str__(self) -> str:
        return f"{self.rows} row{'s' * (self.rows != 1)}: {self.rule}, such as {self.example}"


def causes_of(faults: Iterable[tuple[str, Fault]]) -> tuple[Cause, ...]:
    """The rules that were broken, the most broken one first; each fault comes with the place where it is."""
    found: dict[str, Cause] = {}
    for place, fault in faults:
        known = found.get(fault.rule) or Cause(rule=fault.rule, rows=0, example=f"{place}: {fault.got}")
        found[fault.rule] = known.model_copy(update={"rows": known.rows + 1})
    return tuple(sorted(found.values(), key=lambda cause: -cause.rows))


def listed(causes: tuple[Cause, ...]) -> str:
    """The causes below an error."""
    more = [f"  and {len(causes) - SHOWN} more"] * (len(causes) > SHOWN)
    return "\n".join([f"  {cause}" for cause in causes[:SHOWN]] + more)
