"""The pre-trained backbone: its architecture, its folded weights, what is frozen, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modelwright.core.errors import DamagedArtifact, MissingExtra
from modelwright.models import backbone
from modelwright.models.backbone import PUBLISHED, build, read_weights
from modelwright.models.efficientnet_lite import BATCH_NORM_EPSILON, EfficientNetLite0, SameConvolution, fold_published
from modelwright.models.pretrained import Pretrained, find_folder
from modelwright.models.pretrained_settings import Backbone
from modelwright.models.resizing import Resizing

LEARNT = {"mean": [10.0, 20.0, 30.0], "deviation": [40.0, 50.0, 60.0], "classes": ["a", "b", "c"], "channels": 3}


def published() -> Path:
    try:
        return find_folder(PUBLISHED, Path())
    except MissingExtra:
        pytest.skip("the extra `images` is not installed")


def test_random_weights_give_logits_and_gradients():
    network = build(Backbone(weights="random", size=32), LEARNT)
    assert read_weights(Backbone(weights="random"), Path()) is None
    logits = network(torch.randn(2, 3, 8, 8))
    assert logits.shape == (2, 3)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_frozen_only_the_head_learns():
    network = build(Backbone(weights="random", size=32, freeze=True), LEARNT)
    assert [name for name, parameter in network.named_parameters() if parameter.requires_grad] == [
        "head.weight",
        "head.bias",
    ]


def test_grey_pictures_and_neighbours():
    network = build(
        Backbone(weights="random", size=32, dropout=0.0), {**LEARNT, "mean": [33.0], "deviation": [78.0], "channels": 1}
    )
    images = torch.randn(3, 1, 28, 28)
    # In training too: there are no statistics of batches.
    torch.testing.assert_close(network.train()(images)[:1], network(images[:1]))


def test_resizing_undoes_the_learnt_normalisation():
    pixels = torch.rand(2, 3, 6, 6) * 255
    mean, deviation = (torch.tensor(LEARNT[name]).view(3, 1, 1) for name in ("mean", "deviation"))
    resize = Resizing(LEARNT, (127.0,) * 3, (128.0,) * 3, 6)
    torch.testing.assert_close(resize((pixels - mean) / deviation), (pixels - 127) / 128)
    assert Resizing(LEARNT, (127.0,) * 3, (128.0,) * 3, 32)(pixels).shape == (2, 3, 32, 32)
    assert not resize.state_dict()


@pytest.mark.parametrize(("side", "kernel", "stride"), [(8, 3, 2), (7, 3, 2), (8, 5, 2), (9, 5, 1), (5, 1, 1)])
def test_same_padding_rounds_the_side_up_and_pads_right_first(side, kernel, stride):
    layer = SameConvolution(1, 1, kernel, stride)
    torch.nn.init.ones_(layer.convolution.weight)
    torch.nn.init.zeros_(layer.convolution.bias)
    answer = layer(torch.ones(1, 1, side, side))
    assert answer.shape[-1] == -(-side // stride)
    missing = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    assert answer[0, 0, 0, 0] == (kernel - missing // 2) ** 2
    assert answer[0, 0, -1, -1] == (kernel - (missing - missing // 2)) ** 2


def test_folding_is_convolution_then_batch_normalisation():
    torch.manual_seed(0)
    ours = EfficientNetLite0()
    theirs = _as_published(ours)
    folded = fold_published(theirs)
    assert folded.keys() == ours.state_dict().keys()
    image = torch.randn(2, 3, 8, 8)
    plain = torch.nn.functional.conv2d(
        torch.nn.functional.pad(image, (0, 1, 0, 1)), theirs["_conv_stem.weight"], stride=2
    )
    statistics = [theirs[f"_bn0.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
    expected = torch.nn.functional.batch_norm(plain, *statistics, eps=BATCH_NORM_EPSILON)
    ours.load_state_dict(folded)
    torch.testing.assert_close(ours.stem(image), expected, atol=1e-5, rtol=1e-4)


def _as_published(ours: EfficientNetLite0) -> dict[str, torch.Tensor]:
    """Make weights of the published names and shapes, with drawn statistics."""
    names = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    published = {}
    for name, tensor in ours.state_dict().items():
        if not name.endswith("weight"):
            continue
        place, _, layer = name.removesuffix(".convolution.weight").rpartition(".")
        prefix = place.replace("blocks", "_blocks") + "." if place else ""
        convolution, norm = names.get(layer) or {"stem": ("_conv_stem", "_bn0"), "last": ("_conv_head", "_bn1")}[layer]
        published[f"{prefix}{convolution}.weight"] = tensor
        for statistic in ("weight", "running_var", "bias", "running_mean"):
            published[f"{prefix}{norm}.{statistic}"] = torch.rand(len(tensor)) + 0.5
    return published


def test_the_published_weights_know_a_daisy():
    path = published()
    weights = read_weights(Backbone(), path.parent)
    network = build(Backbone(size=224), {**LEARNT, "mean": [0.0] * 3, "deviation": [255.0] * 3}).eval()
    weights.fill(network)
    last = torch.load(path, weights_only=True)
    from sklearn.datasets import load_sample_image

    flower = torch.tensor(load_sample_image("flower.jpg")).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        answer = network.backbone(network.resize(flower)) @ last["_fc.weight"].T + last["_fc.bias"]
    assert answer.argmax() == 985


def test_another_file_than_the_published_one_is_refused(tmp_path, monkeypatch):
    (tmp_path / "weights.pth").write_bytes(b"not the published weights")
    monkeypatch.setattr(backbone, "PUBLISHED", "weights.pth")
    with pytest.raises(DamagedArtifact, match="SHA-256"):
        read_weights(Backbone(), tmp_path)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(backbone, "PUBLISHED", "package:no_such_package_of_weights/file")
    with pytest.raises(MissingExtra, match=r"modelwright\[images\]"):
        read_weights(Backbone(), Path())


@pytest.mark.parametrize(
    "change", [lambda weights: weights.pop("0.weight"), lambda weights: weights.update({"9.weight": torch.zeros(1)})]
)
def test_weights_of_another_model_are_refused(change):
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    weights = model.state_dict()
    Pretrained("", dict(weights)).fill(model)
    change(weights)
    with pytest.raises(DamagedArtifact, match=r"\d\.weight"):
        Pretrained("", weights).fill(model)
