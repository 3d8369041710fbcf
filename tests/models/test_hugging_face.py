"""Encoders from Hugging Face folders, on tiny ones made here; all but the first test need transformers."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from modelwright.core.errors import MissingExtra, RecipeError
from modelwright.models.hugging_face import attention_of, build, read_weights
from modelwright.models.pretrained_settings import HuggingFace

INSTALLED = importlib.util.find_spec("transformers") is not None
needs_transformers = pytest.mark.skipif(not INSTALLED, reason="the extra `text` is not installed")
LEARNT = {"classes": ["a", "b", "c"], "size": 50, "length": 12, "padding": 0}
PICTURES = {"classes": ["a", "b"], "mean": [0.0] * 3, "deviation": [255.0] * 3, "channels": 3}


@pytest.mark.skipif(INSTALLED, reason="transformers is installed")
def test_the_missing_library_is_named():
    with pytest.raises(MissingExtra, match=r"modelwright\[text\]"):
        read_weights(HuggingFace(path="/nowhere"), Path())


@pytest.fixture
def text_folder(tmp_path):
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=12,
    )
    # With a head of its own, whose weights must be left behind.
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    return tmp_path


@needs_transformers
def test_a_text_encoder_answers_as_transformers_does(text_folder):
    from transformers import AutoModel

    settings = HuggingFace(path=str(text_folder))
    found = read_weights(settings, Path())
    learnt = {**LEARNT, **found.facts}
    model = build(settings, learnt).eval()
    found.fill(model)
    reference = AutoModel.from_pretrained(text_folder).eval()
    tokens, length = torch.randint(1, 50, (2, 7)), torch.tensor([7, 4])
    mask = torch.arange(7) < length[:, None]
    states = reference(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
    pooled = torch.stack([states[0].mean(0), states[1, :4].mean(0)])
    torch.testing.assert_close(model(tokens=tokens, length=length), model.head(pooled))
    # Stored facts are enough to open the model where the folder is not.
    for file in text_folder.iterdir():
        file.unlink()
    again = build(settings, json.loads(json.dumps(learnt))).eval()
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again(tokens=tokens, length=length), model(tokens=tokens, length=length))


@needs_transformers
def test_frozen_only_the_head_learns_and_nothing_drops(text_folder):
    settings = HuggingFace(path=str(text_folder), freeze=True, dropout=0.0)
    found = read_weights(settings, text_folder)
    model = build(settings, {**LEARNT, **found.facts}).train()
    inputs = {"tokens": torch.randint(1, 50, (2, 5)), "length": torch.tensor([5, 5])}
    torch.testing.assert_close(model(**inputs), model(**inputs))
    model(**inputs).sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is not None] == [
        "head.weight",
        "head.bias",
    ]


@needs_transformers
@pytest.mark.parametrize(("change", "message"), [({"size": 51}, "51 tokens"), ({"length": 13}, "up to 13 tokens")])
def test_tokens_of_another_encoder_are_refused(text_folder, change, message):
    settings = HuggingFace(path=str(text_folder))
    with pytest.raises(RecipeError, match=message):
        build(settings, {**LEARNT, **change, **read_weights(settings, Path()).facts})


@needs_transformers
def test_pickled_weights_are_never_read(text_folder):
    (text_folder / "model.safetensors").rename(text_folder / "pytorch_model.bin")
    with pytest.raises(RecipeError, match=r"no weights in safetensors.*convert"):
        read_weights(HuggingFace(path=str(text_folder)), Path())


@needs_transformers
@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_pictures_are_resized_and_normalised_as_the_folder_says(tmp_path, kind):
    import transformers

    if kind == "vit":
        config = transformers.ViTConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=16,
            patch_size=8,
        )
    else:
        config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    processor = {"size": {"height": 16, "width": 16}, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    settings = HuggingFace(path=str(tmp_path))
    found = read_weights(settings, Path())
    model = build(settings, {**PICTURES, **found.facts}).eval()
    found.fill(model)
    image = torch.rand(2, 3, 16, 16)
    mean, deviation = (torch.tensor(processor[name]).view(3, 1, 1) for name in ("image_mean", "image_std"))
    torch.testing.assert_close(model.resize(image), (image - mean) / deviation)
    reference = transformers.AutoModel.from_pretrained(tmp_path).eval()
    states = reference(pixel_values=(image - mean) / deviation).last_hidden_state
    pooled = states.mean((2, 3)) if states.dim() == 4 else states.mean(1)
    torch.testing.assert_close(model(image=image), model.head(pooled))
    assert model(image=torch.rand(1, 3, 32, 32)).shape == (1, 2)


@needs_transformers
def test_its_attention_is_that_of_transformers_and_looking_changes_nothing(text_folder):
    from transformers import AutoModel

    settings = HuggingFace(path=str(text_folder))
    found = read_weights(settings, Path())
    model = build(settings, {**LEARNT, **found.facts}).eval()
    found.fill(model)
    tokens, length = torch.randint(1, 50, (2, 7)), torch.tensor([7, 4])
    before = model(tokens=tokens, length=length)
    layers = attention_of(model, tokens, length)
    reference = AutoModel.from_pretrained(text_folder, attn_implementation="eager").eval()
    mask = (torch.arange(7) < length[:, None]).long()
    expected = reference(input_ids=tokens, attention_mask=mask, output_attentions=True).attentions
    for layer, other in zip(layers, expected, strict=True):
        torch.testing.assert_close(layer, other)
        assert float(layer[1, :, :, 4:].max()) == 0, "nobody attends to padding"
    assert (model(tokens=tokens, length=length) == before).all()
