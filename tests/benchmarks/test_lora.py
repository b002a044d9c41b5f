"""The pieces of `lora` on tiny sizes: lengths as they are said to be, both ways learn the same tokens."""

import statistics
from pathlib import Path

import pytest

from tasks import artifacts
from tasks.language.chats import learned
from tasks.language.options import LoraOptions, Tiny
from tasks.language.rendering import Chat
from tasks.language.tiny import pretrain
from tasks.language.training import encoded
from tests.benchmarks import harness, lora, lora_examples, lora_work

BASE = Tiny(hidden=16, layers=1, inner=32, heads=2, courses=20, steps=1, batch=1)


def test_lengths_are_log_normal_and_both_ways_learn_the_same_tokens(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    with artifacts.opened(tmp_path) as store:
        folder = store.path(pretrain(BASE, lambda _: None).artifact)
        chat = Chat(folder)
        given = lora_examples.examples(chat, 400, 2, 2)
        assert lora_examples.examples(chat, 400, 2, 2) == given
        some = [one for one in learned(given) if one.part == "train"]
        sizes = lora.lengths(chat, given)
        ours = encoded(some, chat, LoraOptions()).rows
    assert 55 <= statistics.median(sizes) <= 65 and max(sizes) <= lora_examples.LONGEST + 5
    low, _, high = statistics.quantiles(sizes, n=4)
    assert high / low == pytest.approx(2.1, abs=0.25)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for one, mine in zip(some[:50], ours, strict=False):
        row = lora_work.row(tokenizer, one)
        assert {len(row[name]) for name in row} == {lora_work.PADDED}
        real = sum(row["attention_mask"])
        assert (row["input_ids"][:real], row["labels"][:real]) == (mine["input_ids"], mine["labels"])
        assert set(row["labels"][real:]) == {-100}


@pytest.mark.slow
def test_both_ways_train(tmp_path: Path) -> None:
    made = lora.made(tmp_path, BASE, LoraOptions(epochs=2), (48, 4, 8), 1)
    report = harness.compare(made, lambda _: None)
    rows = {row.what: row for row in report.rows}
    assert rows[lora.RATE].ours > rows[lora.RATE].peer > 0
    assert rows[lora.LOSS].ours < float(str(made.facts["loss of the base"])) > rows[lora.LOSS].peer
    assert made.facts["steps, penstock"] == made.facts[f"steps, {lora.PEER}"] == 6
