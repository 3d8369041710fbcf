"""Folders of Llama and Qwen, made by transformers itself: equal logits both ways, and greedy answers token for token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from modelwright.core.errors import DamagedArtifact, RecipeError
from modelwright.engine.generation import write
from modelwright.models.decoder import DecoderModel
from modelwright.models.decoder_settings import Decoder
from modelwright.models.llama_folder import open_folder, our_name, their_name, write_folder

transformers = pytest.importorskip("transformers")
TOLERANCE = 1e-5
SIZES: dict[str, Any] = {
    "vocab_size": 101,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.15,
}
FOLDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {"rms_norm_eps": 1e-5}),
    "llama-tied": ("Llama", {"tie_word_embeddings": True, "num_key_value_heads": 4, "head_dim": 20}),
    "qwen2": ("Qwen2", {"rope_theta": 500_000.0}),
    "qwen3": ("Qwen3", {"head_dim": 16, "tie_word_embeddings": True}),
}


@pytest.fixture(scope="module", params=FOLDERS)
def theirs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A random model of transformers, and the folder that it wrote."""
    family, changed = FOLDERS[request.param]
    torch.manual_seed(3)
    config = getattr(transformers, f"{family}Config")(**{**SIZES, **changed})
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Biases and gains as they are made would hide a mistake: zero and one.
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    return folder, model


def test_their_folder_has_their_logits(theirs: tuple[Path, Any]) -> None:
    folder, model = theirs
    ours = open_folder(folder).eval()
    tokens = torch.randint(0, 101, (3, 29))
    with torch.inference_mode():
        torch.testing.assert_close(ours(tokens), model(tokens).logits, atol=TOLERANCE, rtol=TOLERANCE)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in model.parameters())


def test_our_folder_has_our_logits(theirs: tuple[Path, Any], tmp_path: Path) -> None:
    ours = open_folder(theirs[0]).eval()
    write_folder(tmp_path, ours, end=0)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    tokens = torch.randint(0, 101, (2, 31))
    with torch.inference_mode():
        torch.testing.assert_close(again(tokens).logits, ours(tokens), atol=TOLERANCE, rtol=TOLERANCE)
    assert again.config.model_type == theirs[1].config.model_type


def test_greedy_answers_are_theirs_token_for_token(theirs: tuple[Path, Any]) -> None:
    folder, model = theirs
    ours = open_folder(folder)
    prompts = [[5, 17, 3, 88], [42], [1, 2, 3, 4, 5, 6, 7, 8, 9]]
    found = write(ours, prompts, 40, None)
    for prompt, row in zip(prompts, found, strict=True):
        expected = model.generate(
            torch.tensor([prompt]), max_new_tokens=40, min_new_tokens=40, do_sample=False, pad_token_id=0
        )
        assert row == expected[0, len(prompt) :].tolist()
    assert len({tuple(row) for row in found}) == 3


@pytest.mark.parametrize("settings", [{}, {"tied": False}, {"query_key_norm": True}, {"attention_bias": True}])
def test_a_decoder_of_ours_is_one_of_theirs(settings: dict[str, Any], tmp_path: Path) -> None:
    sizes = {"layers": 2, "width": 32, "heads": 4, "key_value_heads": 2, "hidden": 48, "rotary_base": 777.0}
    model = DecoderModel(Decoder.model_validate({"kind": "decoder", **sizes, **settings}), 57, 40).eval()
    write_folder(tmp_path, model, end=0)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    tokens = torch.randint(0, 57, (2, 40))
    with torch.inference_mode():
        torch.testing.assert_close(theirs(tokens).logits, model(tokens), atol=TOLERANCE, rtol=TOLERANCE)


def test_names_go_there_and_back() -> None:
    for settings in ({"tied": False, "query_key_norm": True}, {"attention_bias": True}):
        model = DecoderModel(
            Decoder.model_validate({"kind": "decoder", "layers": 2, "width": 8, "heads": 2, **settings}), 5, 4
        )
        for name in model.state_dict():
            assert our_name(their_name(name)) == name


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model_type": "gpt2"}, "model_type is 'gpt2'"),
    ({"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "'yarn'"),
    ({"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": None}, "'linear'"),
    ({"hidden_act": "gelu"}, "'gelu'"),
    ({"mlp_bias": True}, "biases"),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_other_shapes_are_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    model = DecoderModel(Decoder.model_validate({"kind": "decoder", "layers": 1, "width": 8, "heads": 2}), 5, 4)
    write_folder(tmp_path, model, end=0)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(RecipeError, match=said):
        open_folder(tmp_path)


def test_damaged_folders(tmp_path: Path) -> None:
    model = DecoderModel(Decoder.model_validate({"kind": "decoder", "layers": 1, "width": 8, "heads": 2}), 5, 4)
    with pytest.raises(RecipeError, match="cannot be read"):
        open_folder(tmp_path)
    write_folder(tmp_path, model, end=0)
    weights = tmp_path / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedArtifact):
        open_folder(tmp_path)
    weights.unlink()
    with pytest.raises(RecipeError, match="no weights in safetensors"):
        open_folder(tmp_path)
