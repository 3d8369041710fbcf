"""Every optimiser against the conformance suite, and what is special about the ones that torch does not have."""

from __future__ import annotations

import dataclasses
import io
import math
import sys
from typing import Literal

import pytest
import torch
from pydantic import ValidationError
from torch.distributed.tensor import DTensor

from modelwright.core.errors import MissingExtra, RecipeError
from modelwright.core.settings import Settings
from modelwright.methods.optimisation import optimisers as o
from modelwright.methods.optimisation import settings as s
from modelwright.methods.optimisation.muon import Muon, group_for_muon, orthogonalise
from modelwright.methods.optimisation.parameter_groups import can_fuse, set_learning_rates
from modelwright.testing import optimisers as suite
from modelwright.testing.optimisers import CHECKS, OptimiserCase, check_optimiser

T = torch.optim
CASES = {
    "sgd": OptimiserCase(
        o.build_sgd,
        s.SgdSettings(momentum=0.9, nesterov=True, weight_decay=0.1),
        5e-4,
        reference=lambda p: T.SGD(p, 5e-4, 0.9, weight_decay=0.1, nesterov=True, fused=True),
    ),
    "sgd_dampened": OptimiserCase(
        o.build_sgd,
        s.SgdSettings(momentum=0.9, dampening=0.5),
        1e-3,
        reference=lambda p: T.SGD(p, 1e-3, 0.9, dampening=0.5, fused=True),
    ),
    "adam": OptimiserCase(
        o.build_adam,
        s.AdamSettings(weight_decay=0.1),
        0.05,
        reference=lambda p: T.Adam(p, 0.05, weight_decay=0.1, fused=True),
    ),
    "adamw": OptimiserCase(
        o.build_adamw,
        s.AdamWSettings(amsgrad=True),
        0.05,
        reference=lambda p: T.AdamW(p, 0.05, amsgrad=True, fused=True),
    ),
    "nadam": OptimiserCase(
        o.build_nadam,
        s.NAdamSettings(decoupled=True, weight_decay=0.1),
        0.05,
        reference=lambda p: T.NAdam(p, 0.05, weight_decay=0.1, decoupled_weight_decay=True),
    ),
    "radam": OptimiserCase(
        o.build_radam,
        s.RAdamSettings(weight_decay=0.1),
        0.004,
        0.05,
        0.1,
        1000,
        reference=lambda p: T.RAdam(p, 0.004, weight_decay=0.1),
    ),
    "adagrad": OptimiserCase(
        o.build_adagrad,
        s.AdagradSettings(lr_decay=1e-4, initial_sum=0.1),
        0.5,
        reference=lambda p: T.Adagrad(p, 0.5, lr_decay=1e-4, initial_accumulator_value=0.1, fused=True),
    ),
    "rmsprop": OptimiserCase(
        o.build_rmsprop,
        s.RmspropSettings(momentum=0.5, centred=True),
        0.01,
        reference=lambda p: T.RMSprop(p, 0.01, momentum=0.5, centered=True),
    ),
    "rprop": OptimiserCase(
        o.build_rprop, s.RpropSettings(), 0.01, follows_lr=False, reference=lambda p: T.Rprop(p, 0.01)
    ),
    "smorms3": OptimiserCase(o.build_smorms3, s.Smorms3Settings(), 0.05),
    "lion": OptimiserCase(o.build_lion, s.LionSettings(), 0.03),
    "muon": OptimiserCase(o.build_muon, s.MuonSettings(adamw_lr=0.05), 0.08),
    "adafactor": OptimiserCase(
        o.build_adafactor,
        s.AdafactorSettings(weight_decay=0.1),
        0.3,
        0.02,
        reference=lambda p: T.Adafactor(p, 0.3, weight_decay=0.1),
    ),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CASES)
def test_conforms(name, check):
    check(CASES[name])


class Careless(Settings):
    """Settings with an unbounded number."""

    kind: Literal["careless"] = "careless"
    lr: float = 0.1


class Forgetful(T.SGD):
    """Loses its momentum when it is saved."""

    def state_dict(self):
        return {**super().state_dict(), "state": {}}


class Restless(T.SGD):
    """Moves weights even without a gradient."""

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.add_(1e-3)


def tensors(parameters):
    return [parameter for _, parameter in parameters if parameter.requires_grad]


@pytest.mark.parametrize(
    ("check", "build"),
    [
        (suite.lowers_quadratic, lambda settings, p: T.SGD(tensors(p), 1e-9)),
        (suite.lowers_rosenbrock, lambda settings, p: T.SGD(tensors(p), 1e-9)),
        (suite.resumes_bit_equal, lambda settings, p: Forgetful(tensors(p), 0.01, momentum=0.9)),
        (suite.zero_gradient_leaves_weights, lambda settings, p: Restless(tensors(p), 0.1)),
        (suite.missing_gradient_leaves_weights, lambda settings, p: Restless(tensors(p), 0.1)),
        (suite.follows_learning_rate, lambda settings, p: Restless(tensors(p), 0.1)),
        (suite.groups_in_order, lambda settings, p: T.SGD(tensors(p)[::-1], 0.1)),
        (suite.groups_in_order, lambda settings, p: T.SGD([parameter for _, parameter in p], 0.1)),
        (suite.spares_vectors, lambda settings, p: T.SGD(tensors(p), 0.1, weight_decay=settings.weight_decay)),
        (suite.agrees_with_reference, lambda settings, p: T.SGD(tensors(p), 0.1)),
    ],
)
def test_suite_notices(check, build):
    case = dataclasses.replace(CASES["sgd"], build=build)
    with pytest.raises(AssertionError):
        check(case)


def test_suite_notices_careless_settings():
    with pytest.raises(AssertionError, match="lr: found no description"):
        suite.settings_are_bounded(OptimiserCase(o.build_sgd, Careless(), 0.1))


def test_check_optimiser_runs_every_check(monkeypatch):
    seen = []
    monkeypatch.setattr(suite, "CHECKS", (seen.append, seen.append))
    check_optimiser(CASES["sgd"])
    assert len(seen) == 2


def steps_of(build, settings, start, gradients):
    parameter = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimiser = build(settings, [("weight", parameter)])
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimiser.step()
    return parameter.tolist()


GRADIENTS = [[0.3, -2.0, 0.0], [0.5, 1.0, 1e-4], [-0.2, 0.4, 3.0], [0.1, -0.1, -3.0]]


def test_smorms3_follows_funk():
    lr, eps, expected = 0.02, 1e-16, []
    for weight, series in zip([1.0, -1.0, 0.5], zip(*GRADIENTS, strict=True), strict=True):
        memory, mean, square = 1.0, 0.0, 0.0
        for gradient in series:
            r = 1 / (memory + 1)
            mean = (1 - r) * mean + r * gradient
            square = (1 - r) * square + r * gradient**2
            x = mean**2 / (square + eps)
            weight -= gradient * min(lr, x) / (math.sqrt(square) + eps)
            memory = 1 + memory * (1 - x)
        expected.append(weight)
    assert steps_of(o.build_smorms3, s.Smorms3Settings(lr=lr), [1.0, -1.0, 0.5], GRADIENTS) == pytest.approx(
        expected, rel=1e-12
    )


def test_lion_follows_the_paper():
    lr, beta1, beta2, decay, expected = 0.01, 0.9, 0.99, 0.3, []
    for weight, series in zip([1.0, -1.0, 0.5], zip(*GRADIENTS, strict=True), strict=True):
        momentum = 0.0
        for gradient in series:
            direction = beta1 * momentum + (1 - beta1) * gradient
            weight -= lr * ((direction > 0) - (direction < 0) + decay * weight)
            momentum = beta2 * momentum + (1 - beta2) * gradient
        expected.append(weight)
    settings = s.LionSettings(lr=lr, weight_decay=decay, decay="all")
    assert steps_of(o.build_lion, settings, [1.0, -1.0, 0.5], GRADIENTS) == pytest.approx(expected, rel=1e-12)


def walk(optimiser, parameters, steps=6):
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimiser.step()
    return parameters


def matrices(*shapes):
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize(("scale", "theirs"), [("shape", "original"), ("adamw", "match_rms_adamw")])
def test_muon_is_torchs_on_matrices(scale, theirs, nesterov):
    shapes = [(5, 9), (9, 5), (4, 4)]
    settings = s.MuonSettings(lr=0.03, scale=scale, nesterov=nesterov, weight_decay=0.1)
    ours = matrices(*shapes)
    walk(o.build_muon(settings, ours), ours)
    reference = matrices(*shapes)
    walk(T.Muon(reference, lr=0.03, weight_decay=0.1, nesterov=nesterov, adjust_lr_fn=theirs), reference)
    assert all(torch.equal(a, b) for a, b in zip(ours, reference, strict=True))


def test_muon_leaves_embeddings_heads_and_vectors_to_adamw():
    names = ["token_embedding.weight", "layers.0.heads.weight", "layers.0.norm.weight", "lm_head.weight"]
    shapes = [(7, 4), (4, 4), (4,), (7, 4)]
    ours = matrices(*shapes)
    settings = s.MuonSettings(adamw_lr=0.01, weight_decay=0.1)
    walk(o.build_muon(settings, list(zip(names, ours, strict=True))), ours)
    reference = matrices(*shapes)
    groups = [
        {"params": [reference[0], reference[3]], "weight_decay": 0.1},
        {"params": [reference[2]], "weight_decay": 0.0},
    ]
    adamw = T.AdamW(groups, 0.01, (0.9, 0.95))
    muon = T.Muon([reference[1]], lr=0.02, weight_decay=0.1)
    for step in range(6):
        generator = torch.Generator().manual_seed(step)
        for parameter in reference:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        adamw.step()
        muon.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, reference, strict=True))


def test_muon_sees_a_kernel_as_one_matrix():
    (kernel,) = matrices((6, 2, 3, 3))
    flat = torch.nn.Parameter(kernel.detach().flatten(1).clone())
    ours, theirs = o.build_muon(s.MuonSettings(), [kernel]), o.build_muon(s.MuonSettings(), [flat])
    kernel.grad = torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    flat.grad = kernel.grad.flatten(1).clone()
    ours.step()
    theirs.step()
    assert torch.equal(kernel.flatten(1), flat)


def test_muon_refuses_to_orthogonalise_a_vector():
    with pytest.raises(ValueError, match="fewer than two dims"):
        Muon(matrices((3,)))


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
def test_orthogonalise_keeps_singular_vectors_and_levels_singular_values(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    values = left.T @ orthogonalise(matrix, 5, torch.float32) @ right.T
    assert values.diagonal().min() > 0.65
    assert values.diagonal().max() < 1.25
    assert (values - values.diagonal().diag()).abs().max() < 1e-4


def test_muon_groups_follow_the_order_given():
    pairs = list(
        zip(["b.weight", "b.bias", "a.weight", "wte.weight"], matrices((2, 2), (2,), (3, 3), (5, 2)), strict=True)
    )
    groups = group_for_muon(pairs, ("wte",), 0.1, 0.2, 0.3, "matrices")
    shapes = [[tuple(parameter.shape) for parameter in group["params"]] for group in groups]
    assert shapes == [[(2, 2), (3, 3)], [(5, 2)], [(2,)]]
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.1, 0.3), (0.2, 0.3), (0.2, 0.0)]


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adagrad"])
def test_fused_kernels_agree_with_plain_torch(name):
    case = CASES[name]
    ours, plain = matrices((5, 4), (4,)), matrices((5, 4), (4,))
    optimiser = case.build(case.settings, ours)
    assert all(group["fused"] for group in optimiser.param_groups)
    reference = case.build(case.settings, plain)
    for group in reference.param_groups:
        group.update(fused=False, foreach=False)
    walk(optimiser, ours, 20)
    walk(reference, plain, 20)
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)


def test_fused_is_left_off_where_it_does_not_apply():
    class Sharded(torch.Tensor):
        """Made of other tensors, and says so as torch's own sharded tensors do."""

        def __tensor_flatten__(self) -> None: ...

    assert callable(DTensor.__tensor_flatten__)

    plain = torch.zeros(2)
    assert can_fuse([{"params": [plain]}], ("cpu",))
    assert not can_fuse([{"params": [plain, plain.as_subclass(Sharded)]}], ("cpu",))
    assert not can_fuse([{"params": [plain, torch.zeros(2, device="meta")]}], ("cpu",))
    assert not can_fuse([{"params": [torch.zeros(2, dtype=torch.int64)]}], ("cpu",))


def test_factor_acts_on_each_groups_own_rate_and_survives_a_checkpoint():
    build = lambda: o.build_muon(s.MuonSettings(lr=0.02, adamw_lr=0.004), matrices((2, 2), (2,)))
    first = build()
    set_learning_rates(first, 0.5)
    second = build()
    second.load_state_dict(first.state_dict())
    set_learning_rates(second, 0.25)
    assert [group["lr"] for group in second.param_groups] == [0.005, 0.001]


def test_factor_fills_a_rate_that_is_a_tensor():
    rate = torch.tensor(0.5)
    optimiser = T.SGD(matrices((2,)), lr=rate)
    for factor in (0.5, 0.25):
        set_learning_rates(optimiser, factor)
    assert optimiser.param_groups[0]["lr"] is rate
    assert rate.item() == 0.125


def test_nothing_to_train_is_refused():
    with pytest.raises(RecipeError, match="none of 1 parameters asks for a gradient"):
        o.build_adam(s.AdamSettings(), [("weight", torch.zeros(2))])


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValidationError, match="expected momentum above 0"):
        s.SgdSettings(nesterov=True)


def test_adamw8bit_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchao", None)
    monkeypatch.setitem(sys.modules, "torchao.optim", None)
    with pytest.raises(MissingExtra, match=r"modelwright\[compress\]"):
        o.build_adamw8bit(s.AdamW8bitSettings(), matrices((2, 2)))


def test_adamw8bit_settings_are_bounded():
    suite.settings_are_bounded(OptimiserCase(o.build_adamw8bit, s.AdamW8bitSettings(), 0.05))


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")
def test_adamw8bit_conforms_and_resumes_from_eight_bits():
    pytest.importorskip("torchao")
    check_optimiser(OptimiserCase(o.build_adamw8bit, s.AdamW8bitSettings(), 0.05))
    # Only tensors of 4096 numbers or more are kept in 8 bits.
    straight = matrices((64, 64))
    optimiser = o.build_adamw8bit(s.AdamW8bitSettings(), straight)
    walk(optimiser, straight)
    assert "8bit" in type(optimiser.state[straight[0]]["exp_avg"]).__name__
    resumed = [torch.nn.Parameter(straight[0].detach().clone())]
    second = o.build_adamw8bit(s.AdamW8bitSettings(), resumed)
    # Its tensors have no clone, so copy.deepcopy fails on this state.
    stored = io.BytesIO()
    torch.save(optimiser.state_dict(), stored)
    stored.seek(0)
    second.load_state_dict(torch.load(stored, weights_only=True))
    walk(optimiser, straight)
    walk(second, resumed)
    assert torch.equal(straight[0], resumed[0])
