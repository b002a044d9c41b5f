"""A service that follows an assistant through promotion, rollback and approval, with streams running all the while."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from openai import OpenAI

from flows.release import promote, roll_back
from tasks.settings import ROOT
from tests.bentos.conftest import bentoml_serve
from tests.bentos.conftest import ready as is_ready
from tests.flows.lectures import Lectures
from tests.flows.test_assistant import first, house, known, ready
from tests.flows.under_load import Load

__all__ = ["first", "house", "known", "ready"]  # fixtures

QUESTION = "Tell me all that you know of the deadline of every course."


Seen = tuple[frozenset[str], str, str | None]  # versions of the chunks of a stream, its text, how it ended


@contextmanager
def reader(model: str, url: str) -> Iterator[Callable[[], Seen]]:
    with OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60) as client:

        def ask() -> Seen:
            stream = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": QUESTION}], stream=True, max_tokens=48
            )
            chunks = [chunk.model_dump() for chunk in stream]
            text = "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks if one["choices"])
            ends = [one["choices"][0]["finish_reason"] for one in chunks if one["choices"]]
            versions = frozenset(one["penstock"]["version"] for one in chunks if one.get("penstock"))
            return versions, text, ends[-1]

        yield ask


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_swaps_under_streams_fail_and_mix_no_answer(
    first: Lectures, data_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first.page(0, seed=9)
    assert first.train().version == 2
    if first.champion == 2:
        roll_back(first.name)
    settings = {"PENSTOCK_FOLLOW": "champion", "PENSTOCK_RELEASE": first.name, "PENSTOCK_TRACE_SHARE": "0"}
    with bentoml_serve(data_root, "bentos.assistant.service:Assistant", cwd=ROOT, **settings) as child:
        load = Load(is_ready(child, 120), partial(reader, first.name))
        with load.running(clients=4):
            load.swapped("1")
            took = []
            for version in (2, 1, 2):
                if version == 2:
                    assert promote(first.name, 2, override=True).champion == 2
                else:
                    assert roll_back(first.name).champion == 1
                took.append(load.swapped(str(version)))
    said = defaultdict(set)
    for versions, text, end in load.seen:
        assert len(versions) == 1, "an answer ends on the version that it began with"
        assert end in ("stop", "length")
        said[min(versions)].add(text)
    assert {version: len(texts) for version, texts in said.items()} == {"1": 1, "2": 1}, "greedy answers do not mix"
    assert max(took) < 5
    with capsys.disabled():
        counts = Counter(min(versions) for versions, _, _ in load.seen)
        print(f"\n{dict(counts)} streams by version, followed within {max(took):.1f} s, none failed")  # noqa: T201
