"""The document service as typed: from a folder, and as a bento that needs neither store nor network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.bentos.conftest import ROOT, Child, bentoml_serve, ready
from tests.bentos.rag.conftest import QUESTION, by_schema
from tests.bentos.test_predict import ERROR_FIELDS

SERVICE = "bentos.rag.service:Rag"
FORBIDDEN = {"prefect", "mlflow", "pandas", "pyarrow", "evidently", "torch", "transformers", "pymupdf", "scikit-learn"}
GOOD, BAD = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
POSTED = [("/v1/ask", "POST"), ("/v1/search", "POST")]
READ = [("/v1/documents", "GET"), ("/v1/documents/{id}", "GET"), ("/v1/pages", "GET"), ("/info", "GET")]
CASES = [(*one, GOOD) for one in POSTED + READ] + [(*one, BAD) for one in POSTED]


@pytest.fixture(scope="session")
def shelved(shipped: Path) -> Iterator[Child]:
    """One real service, for all tests that only ask it."""
    known = {"PENSTOCK_FOLDER": str(shipped / "release"), "PENSTOCK_ARTIFACTS": str(shipped / "store")}
    known |= {"PENSTOCK_TRACE_SHARE": "0", "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    with bentoml_serve(shipped / "var", SERVICE, **known) as child:
        yield ready(child)


def untold(answer: Any) -> bool:
    """Refused for what JSON Schema cannot say: the last message is the user's, `since` is not after `until`."""
    return answer.status_code == 422 and {one["type"] for one in answer.json()["error"]["details"]} == {"value_error"}


@pytest.mark.parametrize(("path", "method", "mode"), CASES, ids=lambda one: str(one).rpartition(".")[2])
def test_every_answer_is_as_declared(shelved: Child, path: str, method: str, mode: schemathesis.GenerationMode) -> None:
    document = schemathesis.openapi.from_dict(shelved.get("/openapi.json").json())
    operation = document[path][method]

    @settings(max_examples=25, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def check(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        answer = case.call(base_url=shelved.url)
        case.validate_response(answer, excluded_checks=[positive_data_acceptance] if untold(answer) else [])
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == ERROR_FIELDS

    check()


def test_it_answers_as_typed(shelved: Child) -> None:
    assert "library opens" in shelved.post("/v1/ask", json={"question": QUESTION}).json()["answer"]
    assert "text/html" in shelved.get("/").headers["content-type"]
    paths = shelved.get("/openapi.json").json()["paths"]
    example = paths["/v1/ask"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert shelved.post("/v1/ask", json=example).status_code == 200
    by_schema(shelved.get("/v1/documents/x/y"), 404, "not_found")
    assert 'route="/v1/documents/{id}"' in (shelved.get("/v1/documents/nothing") and shelved.get("/metrics")).text


@pytest.fixture(scope="module")
def built(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    home = tmp_path_factory.mktemp("bentos")
    words = ["--release", "library", "--version", "3", "--folder", str(shipped / "release")]
    known = os.environ | {"BENTOML_HOME": str(home), "PENSTOCK_ARTIFACTS": str(shipped / "store")}
    command = [sys.executable, "-m", "bentos.rag.package", *words]
    done = subprocess.run(command, cwd=ROOT, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return home, json.loads(done.stdout.splitlines()[-1])


def test_the_image_holds_only_what_serves(built: tuple[Path, dict[str, Any]]) -> None:
    path = Path(built[1]["path"])
    names = {line.partition("==")[0] for line in (path / "env/python/requirements.txt").read_text().split()}
    assert not names & FORBIDDEN
    assert {"fastembed", "qdrant-edge-py", "uvloop"} <= names
    inside = {file.relative_to(path / "src").as_posix() for file in (path / "src").rglob("*.py")}
    assert {"bentos/rag/service.py", "bentos/kit/challenger.py", "tasks/retrieval/served.py"} <= inside
    assert not [name for name in inside if "steps" in name or "pdf" in name or "package" in name or "weights" in name]


@pytest.mark.timeout(120)
def test_a_bento_answers_without_the_store(built: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    home, told = built
    known = {"BENTOML_HOME": str(home), "PENSTOCK_TRACE_SHARE": "0"}
    with bentoml_serve(tmp_path / "baked", told["bento"], cwd=tmp_path, **known) as child:
        answer = ready(child).post("/v1/ask", json={"question": QUESTION}).json()
        assert (answer["version"], answer["citations"][0]["document"]) == ("3", "guide.pdf")
        assert child.get("/v1/pages?document=guide.pdf&page=1").headers["content-type"] == "image/png"
        assert child.get("/chat/chat.js").status_code == 200
        told = child.post("/v1/documents?name=a.txt", content=b"text")
        assert "PENSTOCK_ARTIFACTS" in by_schema(told, 409, "refused")["message"]
