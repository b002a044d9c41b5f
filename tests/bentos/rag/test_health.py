"""What is out of reach is told in /ready, and what hangs holds up nothing else."""

import time
from typing import Any

from tasks.errors import Unavailable
from tests.bentos.rag.conftest import Open, refused
from tests.bentos.test_follow import until


class Down:
    """Stands in for an index on a server that does not answer."""

    def __init__(self, index: Any) -> None:
        self.dim, self.model = index.dim, index.model

    def search(self, *_given: Any) -> Any:
        raise Unavailable("Qdrant cannot be reached.")

    count = search

    def close(self) -> None:
        """Nothing is held."""


def test_an_index_out_of_reach_is_not_ready_until_it_is_back(library: Open) -> None:
    service = library()
    served = service.desk.serving().model.served
    index, searcher = served.index, served.answerer.searcher
    served.index = searcher.index = Down(index)
    for answer in (service.ask(), service.ask(stream=True)):
        refused(answer, 503)
    told = service.client.get("/ready")
    assert (told.status_code, told.json()["reasons"][0]["code"]) == (503, "index")
    assert service.client.get("/v1/documents").status_code == 200
    served.index = searcher.index = index
    until(lambda: service.client.get("/ready").json()["status"] == "ready", 10)  # without a question


def test_a_model_out_of_reach_is_told_and_searches_go_on(broken: Any) -> None:
    service, told = broken
    for stream in (False, True):
        told.pieces = [Unavailable("The model is gone.")]
        refused(service.ask(stream=stream), 503)
        ready = service.client.get("/ready")
        reason = {"code": "generator", "message": "The model is gone."}
        assert (ready.status_code, ready.json()["reasons"]) == (200, [reason])
        told.pieces = ["The library opens."]
        assert service.ask(stream=stream).status_code == 200
        assert service.client.get("/ready").json()["status"] == "ready"


def test_a_model_that_hangs_holds_up_nothing_else(broken: Any) -> None:
    service, told = broken
    told.pieces = [2.0, "late"]
    for _ in range(3):  # more than there are threads
        refused(service.ask(), 504)
    began = time.monotonic()
    assert service.client.post("/v1/search", json={"query": "library"}).status_code == 200
    assert service.client.get("/v1/pages?document=guide.pdf&page=1").status_code == 200
    assert time.monotonic() - began < 0.5
