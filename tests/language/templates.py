"""Model folders without weights: a byte-level tokenizer, and chat templates as instruct models have them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from tasks.language.rendering import Chat


class Style(NamedTuple):
    """A template, its control tokens, those of them that stop, and what the special tokens are called."""

    template: str
    special: tuple[str, ...]
    named: dict[str, Any]
    ends: tuple[str, ...]


CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SYSTEM = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful AI assistant named SmolLM<|im_end|>\\n' }}{% endif %}"
)
LLAMA = (
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    " + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}"
    "{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
MARKS = ("<|pad|>", "<|im_start|>", "<|im_end|>")
HEADS = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>")
STYLES = {
    "chatml": Style(CHATML, MARKS, {"eos_token": "<|im_end|>", "pad_token": "<|pad|>"}, ("<|im_end|>",)),
    "system": Style(
        CHATML.replace("{% for message in messages %}", SYSTEM),
        MARKS,
        {"eos_token": {"content": "<|im_end|>", "special": True}, "bos_token": "<|im_start|>"},
        ("<|im_end|>",),
    ),
    "llama": Style(
        LLAMA,
        HEADS,
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"},
        ("<|eot_id|>", "<|end_of_text|>"),
    ),
}


def write(folder: Path, style: Style, template: str | None = None) -> Path:
    """A folder that `Chat` reads; the template stands in tokenizer_config.json, as in older models."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    folder.mkdir(parents=True)
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(style.special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["system user assistant", "The exam of Alpine Botany is oral."], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    told = style.named | {"chat_template": style.template if template is None else template}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    ends = [tokenizer.token_to_id(one) for one in style.ends]
    (folder / "config.json").write_text(json.dumps({"vocab_size": tokenizer.get_vocab_size()}))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    return folder


def chat(folder: Path, name: str = "chatml", template: str | None = None) -> Chat:
    return Chat(write(folder, STYLES[name], template))
