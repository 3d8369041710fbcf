"""A decoder as a folder in the layout of Llama and Qwen, as `transformers` reads and writes it: in both directions.

Only JSON and safetensors are read: no pickle, and no code that came with the model.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch

from ..core.errors import DamagedArtifact, RecipeError
from ..core.formats import recognise
from .decoder import DecoderModel
from .decoder_settings import Decoder, shape_of

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
# Ours, theirs; the layer's number stands between the first two words of either.
NAMES = {
    "attention_norm": "input_layernorm",
    "feed_norm": "post_attention_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "attention.query_norm": "self_attn.q_norm",
    "attention.key_norm": "self_attn.k_norm",
    "feed.gate": "mlp.gate_proj",
    "feed.up": "mlp.up_proj",
    "feed.down": "mlp.down_proj",
}
OUTER = {"embedding": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}
OURS = {theirs: ours for ours, theirs in {**NAMES, **OUTER}.items()}
FAMILIES = ("llama", "qwen2", "qwen3")


def their_name(name: str) -> str:
    """Return the name that a tensor of ours has in the folder."""
    inner = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", name)
    if inner:
        return f"model.layers.{inner[1]}.{NAMES[inner[2]]}.{inner[3]}"
    module, _, kind = name.rpartition(".")
    return f"{OUTER[module]}.{kind}"


def our_name(name: str) -> str:
    """Return our name of a tensor of the folder.

    Raises:
        DamagedArtifact: a decoder has no such tensor.
    """
    inner = re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
    module, _, kind = name.rpartition(".")
    if inner and inner[2] in OURS:
        return f"blocks.{inner[1]}.{OURS[inner[2]]}.{inner[3]}"
    if module in OUTER.values():
        return f"{OURS[module]}.{kind}"
    raise DamagedArtifact(f"the tensor '{name}' has no place in a decoder", where=WEIGHTS)


def settings_of(config: dict[str, Any], where: object = CONFIG) -> tuple[Decoder, int, int]:
    """Return the settings of a decoder, the size of its vocabulary and its length, from the folder's configuration.

    Raises:
        RecipeError: the folder holds a model of another shape.
    """
    family = config.get("model_type")
    rotary = config.get("rope_parameters") or config.get("rope_scaling") or {}
    wrong = ""
    if family not in FAMILIES:
        wrong = f"model_type is {family!r}"
    elif rotary.get("rope_type", rotary.get("type", "default")) != "default":
        wrong = f"rotary positions are of the kind {rotary.get('rope_type', rotary.get('type'))!r}"
    elif config.get("hidden_act", "silu") != "silu":
        wrong = f"hidden_act is {config['hidden_act']!r}"
    elif config.get("mlp_bias") or (family == "llama" and config.get("attention_bias")):
        wrong = "there are biases in the output or feed-forward layers"
    elif config.get("use_sliding_window"):
        wrong = "attention has a sliding window"
    if wrong:
        raise RecipeError(
            wrong, where=where, expected=f"one of {', '.join(FAMILIES)} with plain rotary positions and SwiGLU"
        )
    width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    settings = Decoder(
        layers=int(config["num_hidden_layers"]),
        width=width,
        heads=heads,
        key_value_heads=int(config.get("num_key_value_heads") or heads),
        head_width=int(config.get("head_dim") or width // heads),
        hidden=int(config["intermediate_size"]),
        tied=bool(config.get("tie_word_embeddings", False)),
        query_key_norm=family == "qwen3",
        attention_bias=family == "qwen2",
        rotary_base=float(rotary.get("rope_theta", config.get("rope_theta", 10_000.0))),
        epsilon=float(config.get("rms_norm_eps", 1e-6)),
    )
    return settings, int(config["vocab_size"]), int(config.get("max_position_embeddings", 2048))


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor], list[Path]]:
    """Return the configuration, the weights under our names in float32, and the files that they came from.

    Raises:
        RecipeError: this is no such folder.
        DamagedArtifact: the weights cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"the configuration cannot be read: {error}", where=folder / CONFIG, expected="a Hugging Face folder"
        ) from None
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise RecipeError(
            "there are no weights in safetensors",
            where=folder,
            expected=WEIGHTS,
            next_step="convert pickled weights to safetensors first",
        )
    weights: dict[str, torch.Tensor] = {}
    for file in files:
        recognise(file)
        try:
            found = load_file(file)
        except (OSError, SafetensorError) as error:
            raise DamagedArtifact(f"the weights cannot be read: {error}", where=file) from None
        # Tables of angles, which old versions stored, are made anew.
        weights |= {our_name(name): tensor.float() for name, tensor in found.items() if "rotary_emb" not in name}
    if config.get("tie_word_embeddings"):
        weights.pop("head.weight", None)
    return config, weights, files


def config_of(model: DecoderModel, end: int, precision: torch.dtype = torch.float32) -> dict[str, Any]:
    """Return the configuration that `transformers` builds the same model from.

    Raises:
        RecipeError: no family has both biases and norms of queries and keys.
    """
    settings, shape = model.settings, shape_of(model.settings)
    if settings.query_key_norm and settings.attention_bias:
        raise RecipeError(
            "queries and keys have both norms and biases",
            where="model",
            expected="one of them, as Qwen 3 or Qwen 2 has it",
        )
    family = "qwen3" if settings.query_key_norm else "qwen2" if settings.attention_bias else "llama"
    return {
        "architectures": [f"{family.capitalize()}ForCausalLM"],
        "model_type": family,
        "vocab_size": model.embedding.num_embeddings,
        "hidden_size": shape.width,
        "intermediate_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "head_dim": shape.head_width,
        "hidden_act": "silu",
        "max_position_embeddings": model.length,
        "rms_norm_eps": settings.epsilon,
        "rope_theta": settings.rotary_base,
        "rope_parameters": {"rope_type": "default", "rope_theta": settings.rotary_base},
        "tie_word_embeddings": settings.tied,
        "bos_token_id": end,
        "eos_token_id": end,
        "dtype": str(precision).removeprefix("torch."),
    }


def write_folder(folder: Path, model: DecoderModel, end: int) -> None:
    """Write a model as `transformers` would: `config.json` and `model.safetensors`.

    Raises:
        RecipeError: no family of theirs has this shape.
    """
    from safetensors.torch import save_file

    config = config_of(model, end)
    tensors = {their_name(name): tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def open_folder(folder: Path) -> DecoderModel:
    """Return the decoder that a folder holds.

    Raises:
        RecipeError: this is no such folder.
        DamagedArtifact: weights are missing or do not fit.
    """
    config, weights, _ = read_folder(folder)
    settings, vocabulary, length = settings_of(config, folder / CONFIG)
    model = DecoderModel(settings, vocabulary, length)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise DamagedArtifact(
            f"the weights do not fit: {str(error).splitlines()[-1].strip()}", where=folder, expected="all of this model"
        ) from None
    return model
