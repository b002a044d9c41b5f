"""What an assistant counts beside the kit's own metrics."""

from bentos.assistant.model import Assistant
from bentos.kit.desk import Desk
from bentos.kit.metrics import Counter, Gauge, Histogram

FIRST = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Gauges:
    """The counters of one service."""

    def __init__(self, desk: Desk[Assistant]) -> None:
        registry = desk.metrics.registry
        self.tokens = Counter("penstock_tokens", "Tokens read and written", ("kind", "version"), registry=registry)
        self.ends = Counter("penstock_generations", "Answers by what ended them", ("why", "version"), registry=registry)
        self.first = Histogram(
            "penstock_first_token_seconds", "From request to first token", buckets=FIRST, registry=registry
        )
        waiting = Gauge("penstock_generations_waiting", "Answers that wait for their turn", registry=registry)
        waiting.set_function(lambda: desk.handle.model.engine.waiting if desk.handle else 0)
