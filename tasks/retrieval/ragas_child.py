"""RAGAS in an environment of its own: started by path with that environment's Python, JSON in, JSON out.

Nothing of the project is imported here. Whatever fails ends this process with its message: no score is made up."""

import asyncio
import importlib.metadata
import json
import sys
from typing import Any

AT_ONCE = 4


async def scored(order: dict[str, Any]) -> list[dict[str, float]]:
    """The scores of each case, in order; answer relevance needs an embedding model at the same endpoint."""
    from openai import AsyncOpenAI
    from ragas.embeddings import embedding_factory
    from ragas.llms import llm_factory
    from ragas.metrics.collections import AnswerRelevancy, ContextPrecision, ContextRecall, Faithfulness

    client = AsyncOpenAI(max_retries=1, timeout=order["timeout"])
    llm = llm_factory(order["model"], client=client, temperature=0.0, max_tokens=4096)
    found: dict[str, tuple[Any, tuple[str, ...]]] = {
        "faithfulness": (Faithfulness(llm=llm), ("user_input", "response", "retrieved_contexts")),
        "context_precision": (ContextPrecision(llm=llm), ("user_input", "reference", "retrieved_contexts")),
        "context_recall": (ContextRecall(llm=llm), ("user_input", "retrieved_contexts", "reference")),
    }
    if order["embeddings"]:
        vectors = embedding_factory("openai", model=order["embeddings"], client=client)
        found["answer_relevance"] = (AnswerRelevancy(llm=llm, embeddings=vectors), ("user_input", "response"))
    gate = asyncio.Semaphore(AT_ONCE)

    async def score(case: dict[str, Any]) -> dict[str, float]:
        async with gate:
            told = {}
            for name, (metric, fields) in found.items():
                told[name] = float((await metric.ascore(**{field: case[field] for field in fields})).value)
            return told

    return list(await asyncio.gather(*map(score, order["cases"])))


def main() -> None:
    scores = asyncio.run(scored(json.load(sys.stdin)))
    json.dump({"version": importlib.metadata.version("ragas"), "scores": scores}, sys.stdout)


if __name__ == "__main__":
    main()
