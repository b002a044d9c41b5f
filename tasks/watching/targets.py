"""What a label may be: a number, or one of the classes, as the release's own answers are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.errors import BadInput


@dataclass(frozen=True)
class Target:
    """`classes` as they are answered; None: any number."""

    classes: tuple[Any, ...] | None

    def checked(self, label: Any) -> Any:
        """The label as the release answers it (1.0 is the class 1). BadInput: it is none."""
        if self.classes is None:
            if _is_number(label):
                return label
        else:
            for one in self.classes:
                if label == one and isinstance(label, bool) == isinstance(one, bool):
                    return one
        raise BadInput(f"The label {label!r} does not fit; this release takes {self.wanted}.")

    def read(self, text: str) -> Any:
        """The label that stands in a file as text. BadInput: it is none."""
        if self.classes is not None:
            for one in self.classes:
                if text == str(one) or (isinstance(one, bool) and text.lower() == str(one).lower()):
                    return one
        try:
            return self.checked(float(text))
        except ValueError:
            raise BadInput(f"The label {text!r} does not fit; this release takes {self.wanted}.") from None

    @property
    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""
        return {"type": "number"} if self.classes is None else {"enum": [*self.classes]}

    @property
    def example(self) -> Any:
        return 1.0 if self.classes is None else self.classes[0]

    @property
    def wanted(self) -> str:
        if self.classes is None:
            return "a number"
        return f"one of {', '.join(map(repr, self.classes))}"


def target_of(output_schema: Any) -> Target | None:
    """The target by the output schema in release.json; None where any label will do (documents, assistants)."""
    fields = output_schema if isinstance(output_schema, Sequence) else []
    for one in fields:
        if isinstance(one, dict) and one.get("name") == "prediction":
            if one.get("levels"):
                return Target(tuple(one["levels"]))
            return Target(None) if one.get("dtype") == "float" else None
    return None


def _is_number(label: Any) -> bool:
    return isinstance(label, int | float) and not isinstance(label, bool) and math.isfinite(label)
