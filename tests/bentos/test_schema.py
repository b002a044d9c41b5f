"""What the OpenAPI document promises, held against the running service by schemathesis."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bentos.conftest import ROW, Child
from tests.bentos.test_predict import ERROR_FIELDS

OPERATIONS = ["/predict", "/batch_predict", "/explain", "/feedback", "/info", "/health", "/ready"]
GOOD, BAD = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CASES = [(path, GOOD) for path in OPERATIONS] + [(path, BAD) for path in OPERATIONS[:4]]


@pytest.mark.parametrize(("path", "mode"), CASES, ids=lambda one: str(one).rpartition(".")[2])
def test_every_answer_is_as_declared(served: Child, path: str, mode: schemathesis.GenerationMode) -> None:
    method = "POST" if path in OPERATIONS[:4] else "GET"
    document = schemathesis.openapi.from_dict(served.get("/openapi.json").json())
    operation = document[path][method]

    @settings(max_examples=40, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def check(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        answer = case.call(base_url=served.url)
        case.validate_response(answer)
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == ERROR_FIELDS

    check()


@settings(max_examples=150, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    body=st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_any_bytes_are_a_clear_4xx(served: Child, body: bytes) -> None:
    for path in ("/predict", "/batch_predict", "/feedback"):
        answer = served.post(path, content=body)
        assert 400 <= answer.status_code < 500
        assert set(answer.json()["error"]) == ERROR_FIELDS


def test_examples_are_the_releases_own(served: Child) -> None:
    paths = served.get("/openapi.json").json()["paths"]
    bodies = {path: paths[path]["post"]["requestBody"]["content"]["application/json"] for path in OPERATIONS[:3]}
    assert bodies["/predict"]["example"] == ROW
    assert bodies["/batch_predict"]["example"] == [ROW]
    for path, body in bodies.items():
        assert served.post(path, json=body["example"]).status_code == 200
