"""Which failures of a fetch are worth another try."""

import pytest
from prefect.states import Failed

from tasks.errors import BadInput, Unavailable
from tasks.sources import steps


@pytest.mark.parametrize(
    ("error", "again"), [(Unavailable("down"), True), (BadInput("wrong"), False), (OSError(), False)]
)
def test_only_what_cannot_be_reached_is_tried_again(error: Exception, again: bool) -> None:
    assert steps.unavailable(None, None, Failed(data=error)) is again  # type: ignore[arg-type]


def test_the_outside_is_tried_four_times_and_later_each_time() -> None:
    assert steps.fetch.retries == 3
    assert steps.fetch.retry_delay_seconds == sorted(steps.fetch.retry_delay_seconds)  # type: ignore[type-var, arg-type]
    assert steps.read.retries == 0
