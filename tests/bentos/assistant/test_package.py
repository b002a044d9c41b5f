"""The assistant as typed: from a folder, held against its OpenAPI document, and as a bento without a store."""

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

from tests.bentos.assistant.conftest import ANSWER, ASKED
from tests.bentos.conftest import ROOT, Child, bentoml_serve, ready
from tests.bentos.test_predict import ERROR_FIELDS, refused

SERVICE = "bentos.assistant.service:Assistant"
FORBIDDEN = {"prefect", "mlflow", "pandas", "pyarrow", "evidently", "pymupdf", "scikit-learn", "peft", "lightgbm"}
GOOD, BAD = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
POSTED = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]
READ = ["/v1/models", "/v1/models/{id}", "/info"]
CASES = [(path, GOOD) for path in POSTED + READ] + [(path, BAD) for path in POSTED]


@pytest.fixture(scope="session")
def chatting(shipped: Path) -> Iterator[Child]:
    """One real service, for all tests that only ask it."""
    known = {"PENSTOCK_FOLDER": str(shipped / "release"), "PENSTOCK_ARTIFACTS": str(shipped / "store")}
    with bentoml_serve(shipped / "var", SERVICE, PENSTOCK_TRACE_SHARE="0", PENSTOCK_MAX_TOKENS="4", **known) as child:
        yield ready(child)


def untold(answer: Any) -> bool:
    """Refused for what JSON Schema cannot say: a model that is not there, options of a stream for what is none, a
    prompt that is too long."""
    if answer.status_code in (400, 404):
        return answer.json()["error"]["code"] in ("model_not_found", "context_length_exceeded")
    details = answer.json()["error"]["details"] if answer.status_code == 422 else []
    return bool(details) and all("stream_options" in one["problem"] for one in details)


@pytest.mark.parametrize(("path", "mode"), CASES, ids=lambda one: str(one).rpartition(".")[2])
def test_every_answer_is_as_declared(chatting: Child, path: str, mode: schemathesis.GenerationMode) -> None:
    document = schemathesis.openapi.from_dict(chatting.get("/openapi.json").json())
    operation = document[path]["POST" if path in POSTED else "GET"]

    @settings(max_examples=15, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def check(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        answer = case.call(base_url=chatting.url)
        case.validate_response(answer, excluded_checks=[positive_data_acceptance] if untold(answer) else [])
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == ERROR_FIELDS

    check()


def test_it_answers_as_typed(chatting: Child) -> None:
    paths = chatting.get("/openapi.json").json()["paths"]
    for path in POSTED:
        example = paths[path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert chatting.post(path, json=example).status_code == 200
    told = chatting.post(POSTED[0], json={"model": "course-chat", "messages": ASKED}).json()
    assert ANSWER.startswith(told["choices"][0]["message"]["content"])
    refused(chatting.get("/v1/models/none"), 404, "model_not_found")
    assert 'route="/v1/models/{id}"' in chatting.get("/metrics").text
    lines = chatting.output.read_text()
    assert "Loading weights" not in lines and "Traceback" not in lines


@pytest.fixture(scope="module")
def built(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    home = tmp_path_factory.mktemp("bentos")
    words = ["--release", "course-chat", "--version", "3", "--folder", str(shipped / "release")]
    known = os.environ | {"BENTOML_HOME": str(home), "PENSTOCK_ARTIFACTS": str(shipped / "store")}
    command = [sys.executable, "-m", "bentos.assistant.package", *words]
    done = subprocess.run(command, cwd=ROOT, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return home, json.loads(done.stdout.splitlines()[-1])


def test_the_image_holds_only_what_serves(built: tuple[Path, dict[str, Any]]) -> None:
    path = Path(built[1]["path"])
    names = {line.partition("==")[0] for line in (path / "env/python/requirements.txt").read_text().split()}
    assert not names & FORBIDDEN and not [name for name in names if "nvidia-cu" in name]
    assert {"torch", "transformers", "openai", "fastembed", "uvloop"} <= names
    dockerfile = (path / "env/docker/Dockerfile").read_text()
    assert dockerfile.index("ENV UV_TORCH_BACKEND") < dockerfile.index("pip install -r")
    inside = {file.relative_to(path / "src").as_posix() for file in (path / "src").rglob("*.py")}
    assert {"bentos/assistant/service.py", "bentos/kit/challenger.py", "tasks/language/torch_engine.py"} <= inside
    assert not [name for name in inside if "steps" in name or "package" in name or "lora" in name or "training" in name]


@pytest.mark.timeout(120)
def test_a_bento_answers_without_the_store(built: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    home, told = built
    known = {"BENTOML_HOME": str(home), "PENSTOCK_TRACE_SHARE": "0"}
    with bentoml_serve(tmp_path / "baked", told["bento"], cwd=tmp_path, **known) as child:
        body = {"model": "course-chat", "messages": ASKED}
        answer = ready(child).post(POSTED[0], json=body).json()
        assert (answer["penstock"]["version"], answer["choices"][0]["message"]["content"]) == ("3", ANSWER)
        assert child.post(POSTED[0], json=body | {"model": "course-chat-base", "max_tokens": 2}).status_code == 200
        assert child.get("/chat/chat.js").status_code == 200
