"""What the creative service's OpenAPI document promises, held against the running service by schemathesis."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.bentos.conftest import Child
from tests.bentos.test_predict import ERROR_FIELDS

WAYS = {"/predict": "POST", "/batch_predict": "POST", "/feedback": "POST", "/products": "GET", "/info": "GET"}
GOOD, BAD = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CASES = [(path, GOOD) for path in WAYS] + [(path, BAD) for path in ("/predict", "/batch_predict", "/products")]


def wordless(answer: Any) -> bool:
    """Refused for what JSON Schema cannot say: of several texts one must hold a word."""
    return answer.status_code == 422 and "has no word in" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("path", "mode"), CASES, ids=lambda one: str(one).rpartition(".")[2])
def test_every_answer_is_as_declared(served: Child, path: str, mode: schemathesis.GenerationMode) -> None:
    document = schemathesis.openapi.from_dict(served.get("/openapi.json").json())
    operation = document[path][WAYS[path]]

    @settings(max_examples=40, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def check(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        answer = case.call(base_url=served.url)
        case.validate_response(answer, excluded_checks=[positive_data_acceptance] if wordless(answer) else [])
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == ERROR_FIELDS

    check()
