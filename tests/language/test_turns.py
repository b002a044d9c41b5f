"""An example for each answer, none longer than the model reads; and what is proposed for data of one's own."""

import json
from pathlib import Path

import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.language.forms import fact_of
from tasks.language.inference import infer
from tasks.language.rendering import Chat
from tasks.language.turns import examples, fitting
from tasks.sources.frames import read_table
from tests.language.chat_data import as_messages, pair, read

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|> {{ m.content }} <|end|> {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}"
)


def test_every_answer_is_an_example_and_equal_ones_come_once(tmp_path: Path, store: Store) -> None:
    begun = [("system", "Be short."), ("user", "Hi"), ("assistant", "Hello.")]
    ends = [[("user", text), ("assistant", f"{text}, yes.")] for text in ("Rain", "Snow")]
    rows = [as_messages(begun + end) | {"id": text, "fact": "weather"} for text, end in zip("rs", ends, strict=True)]
    made = examples(read(tmp_path, *rows).table)
    assert [(one.id, len(one.messages), one.fact) for one in made] == [
        ("r", 5, "weather"),
        ("s", 5, "weather"),
        ("r/1", 3, fact_of("Hello.")),
    ]
    assert [one.answer for one in made] == ["Rain, yes.", "Snow, yes.", "Hello."]


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    """A tokenizer of words, with a template of its own."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"?": 0, "word": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>") for name in ("user", "assistant", "end")])
    folder = tmp_path / "model"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"vocab_size": 5, "max_position_embeddings": 64}))
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    told = {"eos_token": "<|end|>", "chat_template": refusing + TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    return Chat(folder)


def test_what_is_longer_than_the_model_reads_is_put_aside(tmp_path: Path, store: Store, chat: Chat) -> None:
    talk = as_messages([("user", "word"), ("assistant", "word"), ("user", "word"), ("assistant", "word word")])
    system = as_messages([("system", "a"), ("user", "a"), ("assistant", "b")])
    cut = examples(read(tmp_path, talk | {"id": "t"}, system | {"id": "s"}).table)
    made = fitting(cut, chat, 12)
    assert [one.id for one in made.kept] == ["t/1"] and made.quarantine is not None
    reasons = dict(zip(*(read_table(made.quarantine)[name].to_pylist() for name in ("id", "reason")), strict=True))
    assert reasons["t"] == "an example has at most 12 tokens, got 13"
    assert "no system" in reasons["s"] and {cause.rows for cause in made.causes} == {1}
    assert fitting(cut, chat, 13).kept[0].id == "t"
    with pytest.raises(
        BadInput, match=r"None of 3 examples can be learned.*\n  2 rows: an example has at most 2 tokens"
    ):
        fitting(cut, chat, 2)


def test_a_proposal_says_what_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(
        "\n".join(json.dumps(row) for row in (pair("a", "b"), pair("A", "b"), pair("a", ""), pair("c", "B")))
    )
    made = infer(path, "mine")
    assert made.recipe == {"kind": "assistant", "dataset": "mine", "base": "smollm2"}
    assert made.dataset["contract"] == "conversations" and made.dataset["source"]["path"] == str(path)
    assert made.assumptions[0] == "3 conversations with 3 answers, which say 1 different things"
    assert made.assumptions[1].startswith("1 of them") and made.assumptions[2].startswith("1 lines are no")


def test_a_proposal_for_documents_or_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "lake.md").write_text("# Lake")
    made = infer(tmp_path / "papers", "mine")
    assert made.dataset["source"]["type"] == "folder" and "contract" not in made.dataset
    assert made.recipe["kind"] == "assistant" and "1 Markdown file" in made.assumptions[0]
    assert not any("golden" in line for line in made.assumptions)
    (tmp_path / "a.csv").write_text("question,answer\n")
    for name, told in (("none.jsonl", "does not exist"), ("a.csv", "holds no chat data")):
        with pytest.raises(BadInput, match=told):
            infer(tmp_path / name, "mine")
