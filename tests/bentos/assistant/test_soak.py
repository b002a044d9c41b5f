"""Hundreds of clients, many of which leave: memory stays flat, and no place is lost."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import psutil
import pytest

from tests.bentos.assistant.conftest import ANSWER, Start
from tests.bentos.assistant.test_running import LONG, hang_up

ROUNDS, CLIENTS = 6, 200


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_crowds_that_leave_cost_nothing(start: Start) -> None:
    service = start(max_waiting=50)
    process = psutil.Process()

    def one(number: int) -> int:
        draw = random.Random(number)
        body: dict[str, Any] = LONG | {"n": 1, "model": "course-chat", "max_tokens": 60, "stream": draw.random() < 0.5}
        if draw.random() < 0.3:
            hang_up(service, body, read=draw.choice([0, 300]))
            return 499
        try:
            answer = service.create(**body)
            if body["stream"]:
                list(answer)
            return 200
        except openai.APIStatusError as error:
            return error.status_code

    sizes, threads = [], []
    for turn in range(ROUNDS):
        with ThreadPoolExecutor(CLIENTS) as pool:
            codes = set(pool.map(one, range(turn * CLIENTS, (turn + 1) * CLIENTS)))
        assert codes <= {200, 429, 499} and 200 in codes
        service.idle()
        sizes.append(process.memory_info().rss)
        threads.append(threading.active_count())
        assert service.create().choices[0].message.content == ANSWER
        assert service.metric("penstock_requests_in_flight") == 0
    assert max(sizes[3:]) < sizes[2] * 1.05
    assert threads[-1] <= threads[1] + 2
