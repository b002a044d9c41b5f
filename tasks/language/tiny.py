"""A tiny Llama made on the spot, with its own tokenizer and chat template: for the corpus in the box and for tests.

It is pretrained on the questions and answers of made-up courses (`town`): it knows how such facts are asked and told,
and the facts of other courses, but none of the catalogue's. For documents of your own it is of no use."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tasks.artifacts import Artifact, current
from tasks.language.apart import Tell
from tasks.language.chats import Message
from tasks.language.options import Tiny
from tasks.language.rendering import Chat
from tasks.language.town import courses, names, strange
from tasks.language.wordings import ANSWER, CELL, REFUSAL, SENTENCE

BOX = 48  # of the courses, which the catalogue in the box describes
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|pad|>", "<|im_start|>", "<|im_end|>")


class Made(BaseModel):
    """The folder, the number of weights, and the loss that pretraining ended with."""

    artifact: Artifact
    weights: int
    loss: float


def pretrain(options: Tiny, tell: Tell) -> Made:
    """Tokenizer, then weights; the same options give the same bytes on the same machine."""
    import tempfile

    import torch
    from transformers import LlamaForCausalLM

    texts = [text for conversation in conversations(options) for text in conversation]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tokenizer(folder, texts, options.vocabulary)
        config = shape(options, folder)
        config.save_pretrained(folder)
        chat = Chat(folder)
        torch.manual_seed(options.seed)
        model = LlamaForCausalLM(config)
        stream = [token for one in conversations(options) for token in encoded(chat, one)]
        loss = learn(model, torch.tensor(stream), options, tell)
        model.save_pretrained(folder)
        weights = sum(one.numel() for one in model.parameters())
        return Made(artifact=current().put_folder("bases", folder), weights=weights, loss=loss)


def conversations(options: Tiny) -> Iterator[tuple[str, str]]:
    """Questions and answers about the other courses in every wording, and questions that have no answer."""
    some = names()[BOX : BOX + options.courses]
    for course in courses(some, options.seed):
        for column, value in course.facts.items():
            told = {"column": column, "key": course.name, "value": value}
            for wording in CELL:
                yield wording.format(**told), ANSWER.format(**told)
    for question in strange(options.strange, options.seed):
        for wording in SENTENCE:
            yield wording.format(question=question), REFUSAL


def encoded(chat: Chat, one: tuple[str, str]) -> list[int]:
    question, answer = one
    return chat.example((Message(role="user", content=question), Message(role="assistant", content=answer)))[0]


def write_tokenizer(folder: Path, texts: list[str], vocabulary: int) -> None:
    """Byte-level BPE, so that any text can be written with it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["user", "assistant", "system", *texts], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=SPECIAL[0], eos_token=SPECIAL[2], chat_template=TEMPLATE
    )
    fast.save_pretrained(folder)


def shape(options: Tiny, folder: Path) -> Any:
    from tokenizers import Tokenizer
    from transformers import LlamaConfig

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pad, _, end = (tokenizer.token_to_id(token) for token in SPECIAL)
    return LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=options.hidden,
        intermediate_size=options.inner,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.heads,
        max_position_embeddings=options.context,
        tie_word_embeddings=True,
        pad_token_id=pad,
        bos_token_id=None,
        eos_token_id=end,
    )


def learn(model: Any, stream: Any, options: Tiny, tell: Tell) -> float:
    """Next-token loss on packed rows; the mean of the last ten steps."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, betas=(0.9, 0.95), weight_decay=0.01)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: schedule(step, options.steps))
    draw = torch.Generator().manual_seed(options.seed)
    losses = []
    model.train()
    for step in range(options.steps):
        starts = torch.randint(len(stream) - options.length, (options.batch,), generator=draw)
        rows = torch.stack([stream[start : start + options.length] for start in starts])
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        tell({"step": step + 1, "of": options.steps, "loss": losses[-1], "tokens": rows.numel()})
    return float(sum(losses[-10:]) / len(losses[-10:]))


def schedule(step: int, steps: int, warm: int = 40) -> float:
    """Up in `warm` steps, then down to a tenth by a cosine."""
    if step < warm:
        return (step + 1) / warm
    return 0.55 + 0.45 * math.cos(math.pi * (step - warm) / max(steps - warm, 1))
