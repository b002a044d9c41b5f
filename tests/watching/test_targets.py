"""Labels against what a release answers."""

from typing import Any

import pytest

from tasks.errors import BadInput
from tasks.watching.targets import Target, target_of


@pytest.mark.parametrize(
    ("schema", "target"),
    [
        ([{"name": "prediction", "dtype": "float"}, {"name": "unseen"}], Target(None)),
        ([{"name": "prediction", "dtype": "int", "levels": [0, 1]}], Target((0, 1))),
        ({"prediction": "float"}, None),
        ([{"name": "answer"}], None),
        (None, None),
    ],
)
def test_the_target_of_an_output_schema(schema: Any, target: Target | None) -> None:
    assert target_of(schema) == target


@pytest.mark.parametrize(
    ("classes", "label", "read"),
    [((0, 1), 1.0, "1"), ((0, 1), 1, "1.0"), ((False, True), True, "true"), (("1", "2"), "2", "2"), (None, 2.5, "2.5")],
)
def test_a_label_becomes_what_is_answered(classes: tuple[Any, ...] | None, label: Any, read: str) -> None:
    target = Target(classes)
    for found in (target.checked(label), target.read(read)):
        assert found == label and (classes is None or type(found) is type(classes[0]))


@pytest.mark.parametrize(
    ("classes", "label", "told"),
    [
        ((0, 1), True, "one of 0, 1"),
        ((0, 1), 2, "one of"),
        (("a",), "b", "'a'"),
        (None, "7", "a number"),
        (None, True, "number"),
    ],
)
def test_another_label_is_refused(classes: tuple[Any, ...] | None, label: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        Target(classes).checked(label)
