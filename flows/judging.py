"""A judge reads a sample of a window's answers, where the settings name one and the log holds texts."""

from collections.abc import Sequence

from flows.documents import judge_of
from flows.receipts import say
from tasks.artifacts import Store
from tasks.errors import Unavailable
from tasks.registry.rest import Mlflow
from tasks.settings import Settings
from tasks.watching.faithfulness import faithfulness, tell_traces, texts_in
from tasks.watching.finding import record_of
from tasks.watching.parts import Part, rows


def faithful(store: Store, release: str, parts: Sequence[Part], champion: int, settings: Settings) -> dict[str, float]:
    """The share of a documents release's answers that say what their passages say; {} where nobody judged them."""
    if settings.judge is None:
        return {}
    log = (record_of(row) for batch in rows(store, parts, str(champion)) for row in batch.to_pylist())
    try:
        found = faithfulness(log, texts_in(store, release), judge_of(settings))
        with Mlflow(settings.mlflow_url) as mlflow:
            tell_traces(mlflow, found)
    except Unavailable as error:
        say(f"the answers were not judged: {error}")
        return {}
    left = ", ".join(f"{count} {why}" for why, count in found.left_out.items())
    say(f"faithful by {found.by}: {found.score or 'nothing to judge'}" + (f"; left out: {left}" if left else ""))
    return {"faithful": found.score.value} if found.score else {}
