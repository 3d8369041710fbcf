"""What every optimiser must do, as checks that the author of one can run.

`check_optimiser(OptimiserCase(build, settings, lr))` runs them all. With pytest, parametrise over `CHECKS` to have one
test of each. A check that fails raises AssertionError and says what it found. All together take a few hundred small
steps: well under a second for most optimisers.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelwright.core.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    Named = Sequence[tuple[str, Tensor]]

BOUNDS = ("gt", "ge", "lt", "le")


@dataclass(frozen=True)
class OptimiserCase:
    """One optimiser to be checked: how it is built, with which settings, and what may be expected of it.

    `build` takes settings and (name, parameter) pairs. `lr` is one that suits the small problems here, and the value
    of a problem must fall to less than `quadratic` and `rosenbrock` times its start in `steps` steps. `reference`
    builds from plain parameters an optimiser with which all weights must agree bit by bit, weight decay of all
    parameters included. `follows_lr` says whether a step is proportional to the learning rate of that moment.
    """

    build: Callable[[Any, Any], Optimizer]
    settings: Settings
    lr: float
    quadratic: float = 0.01
    rosenbrock: float = 0.2
    steps: int = 200
    follows_lr: bool = True
    reference: Callable[[Iterable[Tensor]], Optimizer] | None = None


def check_optimiser(case: OptimiserCase) -> None:
    """Run all checks on one case.

    Raises:
        AssertionError: the first thing that is not as it must be.
    """
    for check in CHECKS:
        check(case)


def lowers_quadratic(case: OptimiserCase) -> None:
    """A bowl whose axes differ by a factor of 30, made of a matrix and a vector, goes down by the stated factor."""
    import torch

    curvature = torch.logspace(0, 1.5, 4)
    parameters = _parameters()

    def value() -> Tensor:
        return sum((0.5 * curvature * parameter.square()).sum() for _, parameter in parameters)  # type: ignore[return-value]

    _expect_fall(case, parameters, value, case.quadratic)


def lowers_rosenbrock(case: OptimiserCase) -> None:
    """Rosenbrock's bent valley, from four starts at once, goes down by the stated factor."""
    import torch

    points = torch.nn.Parameter(torch.tensor([[-1.2, 1.0], [0.0, 1.5], [-0.5, -0.5], [1.5, 1.0]]))

    def value() -> Tensor:
        x, y = points.unbind(1)
        return (100 * (y - x.square()).square() + (1 - x).square()).sum()

    _expect_fall(case, [("points", points)], value, case.rosenbrock)


def resumes_bit_equal(case: OptimiserCase) -> None:
    """State that is saved and loaded mid-way, without executable formats, continues to the same bits."""
    import torch

    straight = _parameters()
    optimiser = case.build(_with(case, lr=case.lr), straight)
    _walk(optimiser, straight, range(5))
    stored = io.BytesIO()
    torch.save(optimiser.state_dict(), stored)
    resumed = [(name, torch.nn.Parameter(parameter.detach().clone())) for name, parameter in straight]
    _walk(optimiser, straight, range(5, 10))
    stored.seek(0)
    second = case.build(_with(case, lr=case.lr), resumed)
    second.load_state_dict(torch.load(stored, weights_only=True))
    _walk(second, resumed, range(5, 10))
    _expect_equal(straight, resumed, "the weights after a resume differ from those without")


def zero_gradient_leaves_weights(case: OptimiserCase) -> None:
    """One first step with zero gradients, without weight decay, changes nothing."""
    import torch

    parameters, untouched = _parameters(), _parameters()
    optimiser = case.build(_with(case, lr=case.lr, weight_decay=0.0), parameters)
    for _, parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    _expect_equal(parameters, untouched, "a zero gradient moved the weights")


def missing_gradient_leaves_weights(case: OptimiserCase) -> None:
    """A parameter without a gradient keeps its value, weight decay or not, while another moves."""
    import torch

    parameters, untouched = _parameters(), _parameters()
    optimiser = case.build(_with(case, lr=case.lr, weight_decay=0.1), parameters)
    parameters[0][1].grad = torch.ones_like(parameters[0][1])
    optimiser.step()
    _expect_equal(parameters[1:], untouched[1:], "a parameter without a gradient moved")
    assert not torch.equal(parameters[0][1], untouched[0][1]), "found no step of the parameter that has a gradient"


def follows_learning_rate(case: OptimiserCase) -> None:
    """A learning rate of zero, set in the groups as a schedule sets it, stops all movement."""
    import torch

    if not case.follows_lr:
        return
    parameters = _parameters()
    optimiser = case.build(_with(case, lr=case.lr, weight_decay=0.1), parameters)
    _walk(optimiser, parameters, range(3))
    for group in optimiser.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].zero_()
        else:
            group["lr"] = 0.0
    before = [(name, parameter.detach().clone()) for name, parameter in parameters]
    _walk(optimiser, parameters, range(3, 5))
    _expect_equal(parameters, before, "the weights moved at a learning rate of zero")


def groups_in_order(case: OptimiserCase) -> None:
    """Every parameter that asks for a gradient is in one group, in the order given; frozen ones are in none."""
    parameters = _parameters()
    parameters[2][1].requires_grad_(False)
    groups = case.build(case.settings, parameters).param_groups
    wanted = [id(parameter) for _, parameter in parameters if parameter.requires_grad]
    found = [[id(parameter) for parameter in group["params"]] for group in groups]
    assert sorted(one for group in found for one in group) == sorted(wanted), (
        "found parameters twice, missing or frozen in the groups"
    )
    assert all(group == sorted(group, key=wanted.index) for group in found), "found a group in another order than given"


def spares_vectors(case: OptimiserCase) -> None:
    """With `decay: matrices` a vector's group has no weight decay and a matrix's has; with `all` both have."""
    fields = type(case.settings).model_fields
    if "decay" not in fields:
        assert "weight_decay" not in fields, "found weight_decay without the setting decay"
        return
    for decay, vector_decay in (("matrices", 0.0), ("all", 0.5)):
        optimiser = case.build(_with(case, weight_decay=0.5, decay=decay), _parameters())
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                expected = 0.5 if parameter.ndim >= 2 else vector_decay
                assert group["weight_decay"] == expected, (
                    f"found weight decay {group['weight_decay']}, expected {expected}"
                )


def agrees_with_reference(case: OptimiserCase) -> None:
    """Ten steps end in the same bits as ten steps of the reference, when there is one."""
    if case.reference is None:
        return
    ours, theirs = _parameters(), _parameters()
    _walk(case.build(_with(case, lr=case.lr, decay="all"), ours), ours, range(10))
    _walk(case.reference([parameter for _, parameter in theirs]), theirs, range(10))
    _expect_equal(ours, theirs, "the weights differ from the reference's")


def settings_are_bounded(case: OptimiserCase) -> None:
    """Every field is described; every number has bounds, and what is beyond them or not a number is rejected."""
    for name, field in type(case.settings).model_fields.items():
        if name == "kind":
            continue
        assert field.description, f"{name}: found no description"
        if field.annotation not in (float, int):
            continue
        limits = {kind: getattr(item, kind) for item in field.metadata for kind in BOUNDS if kind in dir(item)}
        assert limits.keys() & {"gt", "ge"}, f"{name}: found no lower bound"
        assert limits.keys() & {"lt", "le"}, f"{name}: found no upper bound"
        beyond = [limits[kind] for kind in ("gt", "lt") if kind in limits]
        beyond += [limits[kind] + sign for kind, sign in (("ge", -1), ("le", 1)) if kind in limits]
        if field.annotation is float:
            beyond += [float("nan"), float("inf")]
        for value in beyond:
            _expect_rejection(case, name, field.annotation(value) if value == value else value)
    _expect_rejection(case, "no_such_setting", 1)


CHECKS: tuple[Callable[[OptimiserCase], None], ...] = (
    lowers_quadratic,
    lowers_rosenbrock,
    resumes_bit_equal,
    zero_gradient_leaves_weights,
    missing_gradient_leaves_weights,
    follows_learning_rate,
    groups_in_order,
    spares_vectors,
    agrees_with_reference,
    settings_are_bounded,
)


def _parameters() -> Named:
    """Give the same matrix, vector, convolution kernel and scale at every call."""
    import torch

    generator = torch.Generator().manual_seed(1)
    shapes = {"first.weight": (6, 4), "first.bias": (4,), "second.weight": (8, 2, 3, 4), "second.scale": (4,)}
    return [(name, torch.nn.Parameter(torch.randn(shape, generator=generator))) for name, shape in shapes.items()]


def _walk(optimiser: Optimizer, parameters: Named, steps: range) -> None:
    """Take steps along gradients that depend on the step's number and on the weights."""
    import torch

    for step in steps:
        generator = torch.Generator().manual_seed(step)
        for _, parameter in parameters:
            parameter.grad = parameter.detach() + torch.randn(parameter.shape, generator=generator)
        optimiser.step()


def _with(case: OptimiserCase, **changes: Any) -> Settings:
    fields = type(case.settings).model_fields
    return type(case.settings)(
        **{**dict(case.settings), **{name: value for name, value in changes.items() if name in fields}}
    )


def _expect_fall(case: OptimiserCase, parameters: Named, value: Callable[[], Tensor], factor: float) -> None:
    optimiser = case.build(_with(case, lr=case.lr, weight_decay=0.0), parameters)
    start = value().item()
    for _ in range(case.steps):
        optimiser.zero_grad()
        value().backward()
        optimiser.step()
    end = value().item()
    assert end < factor * start, (
        f"found {end:.4g} after {case.steps} steps from {start:.4g}, expected less than {factor:g} of it"
    )


def _expect_equal(found: Named, expected: Named, message: str) -> None:
    import torch

    for (name, tensor), (_, other) in zip(found, expected, strict=True):
        assert torch.equal(tensor, other), f"{message}: {name} by up to {(tensor - other).abs().max().item():.3g}"


def _expect_rejection(case: OptimiserCase, name: str, value: Any) -> None:
    try:
        type(case.settings)(**{**dict(case.settings), name: value})
    except ValidationError:
        return
    raise AssertionError(f"{name}: found {value} accepted, expected it to be rejected")
