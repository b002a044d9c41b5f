"""A chat model of a few thousand weights with the parts of a real one, trained in seconds to answer a few questions."""

import json
from pathlib import Path
from typing import Any

from tasks.language.chats import Message

CONTEXT = 256
ANSWERS = {
    "When does the library open?": "The library opens at ten.",
    "Where is the garden?": "The garden is behind the old mill.",
    "Count on.": "one two three four five six seven eight nine ten eleven twelve",
}
START, STOP = "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NAMES = {"bos_token": START, "eos_token": STOP, "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}


def asked(question: str) -> tuple[Message, ...]:
    return (Message(role="user", content=question),)


def write_model(folder: Path, steps: int = 160, answers: dict[str, str] = ANSWERS) -> Path:
    """A model folder; without `steps` its answers are noise that never ends."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True)
    write_tokenizer(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=json.loads((folder / "tokenizer_config.json").read_bytes())["size"] + 5,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        eos_token_id=2,
        bos_token_id=1,
        pad_token_id=0,
    )
    model: Any = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = 2
    if steps:
        train(model, folder, steps, answers)
    model.save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path) -> None:
    """Byte-level, so that every text has tokens, and a character may be several."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", START, STOP]
    trainer: Any = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*ANSWERS, *ANSWERS.values()], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    told = NAMES | {"tokenizer_class": "PreTrainedTokenizerFast", "size": tokenizer.get_vocab_size()}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    (folder / "config.json").write_text(json.dumps({"vocab_size": 0}))
    (folder / "chat_template.jinja").write_text(TEMPLATE)


def train(model: Any, folder: Path, steps: int, answers: dict[str, str]) -> None:
    import torch

    from tasks.language.rendering import Chat

    chat = Chat(folder)
    chat.ends = frozenset({2})
    rows = []
    for question, answer in answers.items():
        tokens, start = chat.example((*asked(question), Message(role="assistant", content=answer)))
        rows.append((torch.tensor([tokens]), torch.tensor([[-100] * start + tokens[start:]])))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        tokens, labels = rows[step % len(rows)]
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
