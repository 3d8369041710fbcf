"""A small random model of transformers with a tokeniser and a template of conversations, and conversations for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

WORDS = ["win", "cash", "prize", "now", "see", "you", "at", "home", "tonight", "call"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QUESTION = "spam or ham?"


def write_open_model(folder: Path, seed: int = 3, **changed: Any) -> Any:
    """Write a folder as transformers would; return its model."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokeniser = Tokenizer(models.BPE())
    tokeniser.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokeniser.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|im_end|>", "<|im_start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokeniser.train_from_iterator([*WORDS, "system user assistant", QUESTION] * 4, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokeniser.save(str(folder / "tokenizer.json"))
    about = {"eos_token": "<|im_end|>", "bos_token": "<|im_start|>", "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    torch.manual_seed(seed)
    sizes = {
        "vocab_size": 330,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 96,
        "initializer_range": 0.1,
    }
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**sizes, **changed})).eval()
    model.save_pretrained(folder)
    return model


def write_conversations(file: Path, count: int = 80) -> None:
    """Write conversations whose last answer can be told from the first word of the message."""
    dice = np.random.default_rng(5)
    with file.open("w", encoding="utf-8") as stream:
        for number in range(count):
            words = [WORDS[number % 10], *dice.choice(WORDS, size=int(dice.integers(1, 5))).tolist()]
            said: list[dict[str, str]] = [{"role": "system", "content": QUESTION}]
            if number % 4 == 0:
                said += [{"role": "user", "content": "see you"}, {"role": "assistant", "content": "ham"}]
            said += [
                {"role": "user", "content": " ".join(words)},
                {"role": "assistant", "content": "spam" if number % 10 < 4 else "ham"},
            ]
            stream.write(json.dumps({"messages": said, "group": str(number // 2)}) + "\n")


def write_pairs(file: Path, count: int = 100) -> None:
    """Write pairs of answers: the better one follows from the first word of the message."""
    dice = np.random.default_rng(6)
    with file.open("w", encoding="utf-8") as stream:
        for number in range(count):
            words = [WORDS[number % 10], *dice.choice(WORDS, size=int(dice.integers(1, 4))).tolist()]
            answers = ["spam", "see you at home"] if number % 10 < 4 else ["see you at home", "spam"]
            pair = {"prompt": " ".join(words), "chosen": answers[0], "rejected": answers[1]}
            stream.write(json.dumps(pair) + "\n")
