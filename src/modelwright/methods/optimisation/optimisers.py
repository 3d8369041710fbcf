"""From settings and parameters to an optimiser: one function for each name a recipe can say.

`parameters` are what `model.named_parameters()` gives; plain tensors do too. Frozen ones are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelwright.core.errors import MissingExtra

from .parameter_groups import can_fuse, group_parameters, name_parameters

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from . import settings as kinds
    from .parameter_groups import Parameters

# Where torch 2.13 has fused kernels: Adagrad's are for the CPU only in the versions we support.
CPU_AND_CUDA = ("cpu", "cuda")
CPU = ("cpu",)


def build_sgd(settings: kinds.SgdSettings, parameters: Parameters) -> Optimizer:
    """Build stochastic gradient descent with momentum.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Sutskever et al. 2013, section 2; torch.optim.SGD.
    """
    import torch

    groups = group_parameters(parameters, settings.weight_decay, settings.decay)
    return torch.optim.SGD(
        groups,
        lr=settings.lr,
        momentum=settings.momentum,
        dampening=settings.dampening,
        nesterov=settings.nesterov,
        fused=can_fuse(groups, CPU_AND_CUDA) or None,
    )


def build_adam(settings: kinds.AdamSettings, parameters: Parameters) -> Optimizer:
    """Build Adam.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Kingma and Ba 2015, algorithm 1; torch.optim.Adam.
    """
    import torch

    groups = group_parameters(parameters, settings.weight_decay, settings.decay)
    betas = (settings.beta1, settings.beta2)
    fused = can_fuse(groups, CPU_AND_CUDA) or None
    return torch.optim.Adam(
        groups, lr=settings.lr, betas=betas, eps=settings.eps, amsgrad=settings.amsgrad, fused=fused
    )


def build_adamw(settings: kinds.AdamWSettings, parameters: Parameters) -> Optimizer:
    """Build Adam with decoupled weight decay.

    Raises:
        RecipeError: no parameter asks for a gradient.
        MissingExtra: 8 bits are wanted, and torchao is not installed.
    Source: Loshchilov and Hutter 2019, algorithm 2; torch.optim.AdamW.
    """
    if settings.bits == 8:
        from .settings import AdamW8bitSettings

        same = settings.model_dump(include=set(AdamW8bitSettings.model_fields) - {"kind"})
        return build_adamw8bit(AdamW8bitSettings.model_validate(same), parameters)
    import torch

    groups = group_parameters(parameters, settings.weight_decay, settings.decay)
    betas = (settings.beta1, settings.beta2)
    fused = can_fuse(groups, CPU_AND_CUDA) or None
    return torch.optim.AdamW(
        groups, lr=settings.lr, betas=betas, eps=settings.eps, amsgrad=settings.amsgrad, fused=fused
    )


def build_nadam(settings: kinds.NAdamSettings, parameters: Parameters) -> Optimizer:
    """Build Adam with Nesterov momentum.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Dozat 2016, algorithm 8; torch.optim.NAdam.
    """
    import torch

    return torch.optim.NAdam(
        group_parameters(parameters, settings.weight_decay, settings.decay),
        lr=settings.lr,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        momentum_decay=settings.momentum_decay,
        decoupled_weight_decay=settings.decoupled,
    )


def build_radam(settings: kinds.RAdamSettings, parameters: Parameters) -> Optimizer:
    """Build rectified Adam.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Liu et al. 2020, algorithm 2; torch.optim.RAdam.
    """
    import torch

    return torch.optim.RAdam(
        group_parameters(parameters, settings.weight_decay, settings.decay),
        lr=settings.lr,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        decoupled_weight_decay=settings.decoupled,
    )


def build_adagrad(settings: kinds.AdagradSettings, parameters: Parameters) -> Optimizer:
    """Build Adagrad.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Duchi et al. 2011, figure 1 with diagonal matrices; torch.optim.Adagrad.
    """
    import torch

    groups = group_parameters(parameters, settings.weight_decay, settings.decay)
    return torch.optim.Adagrad(
        groups,
        lr=settings.lr,
        lr_decay=settings.lr_decay,
        initial_accumulator_value=settings.initial_sum,
        eps=settings.eps,
        fused=can_fuse(groups, CPU) or None,
    )


def build_rmsprop(settings: kinds.RmspropSettings, parameters: Parameters) -> Optimizer:
    """Build RMSprop.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Hinton 2012, Neural Networks for Machine Learning, lecture 6e; torch.optim.RMSprop.
    """
    import torch

    return torch.optim.RMSprop(
        group_parameters(parameters, settings.weight_decay, settings.decay),
        lr=settings.lr,
        alpha=settings.smoothing,
        eps=settings.eps,
        momentum=settings.momentum,
        centered=settings.centred,
    )


def build_rprop(settings: kinds.RpropSettings, parameters: Parameters) -> Optimizer:
    """Build Rprop.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Riedmiller and Braun 1993; torch.optim.Rprop.
    """
    import torch

    return torch.optim.Rprop(
        group_parameters(parameters, 0.0, "all"),
        lr=settings.lr,
        etas=(settings.shrink, settings.grow),
        step_sizes=(settings.smallest_step, settings.largest_step),
    )


def build_smorms3(settings: kinds.Smorms3Settings, parameters: Parameters) -> Optimizer:
    """Build SMORMS3.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Funk 2015, RMSprop loses to SMORMS3.
    """
    from .smorms3 import Smorms3

    return Smorms3([parameter for _, parameter in name_parameters(parameters)], lr=settings.lr, eps=settings.eps)


def build_lion(settings: kinds.LionSettings, parameters: Parameters) -> Optimizer:
    """Build Lion.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Chen et al. 2023, algorithm 2.
    """
    from .lion import Lion

    groups = group_parameters(parameters, settings.weight_decay, settings.decay)
    return Lion(groups, lr=settings.lr, beta1=settings.beta1, beta2=settings.beta2)


def build_muon(settings: kinds.MuonSettings, parameters: Parameters) -> Optimizer:
    """Build Muon, with AdamW for what is not a hidden matrix, as one optimiser with one state.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks.
    """
    from .muon import Muon, group_for_muon

    groups = group_for_muon(
        name_parameters(parameters),
        settings.leave_out,
        settings.lr,
        settings.adamw_lr,
        settings.weight_decay,
        settings.decay,
    )
    return Muon(
        groups,
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        iterations=settings.iterations,
        scale=settings.scale,
        precision=settings.precision,
        beta1=settings.beta1,
        beta2=settings.beta2,
        eps=settings.eps,
    )


def build_adafactor(settings: kinds.AdafactorSettings, parameters: Parameters) -> Optimizer:
    """Build Adafactor.

    Raises:
        RecipeError: no parameter asks for a gradient.
    Source: Shazeer and Stern 2018, algorithm 5; torch.optim.Adafactor.
    """
    import torch

    return torch.optim.Adafactor(
        group_parameters(parameters, settings.weight_decay, settings.decay),
        lr=settings.lr,
        beta2_decay=settings.beta2_decay,
        eps=(None, settings.smallest_scale),
        d=settings.clip,
    )


def build_adamw8bit(settings: kinds.AdamW8bitSettings, parameters: Parameters) -> Optimizer:
    """Build AdamW with moments in 8 bits.

    Raises:
        MissingExtra: torchao is not installed.
        RecipeError: no parameter asks for a gradient.
    Source: Dettmers et al. 2022, section 2; torchao.optim.AdamW8bit.
    """
    try:
        import warnings

        with warnings.catch_warnings():
            # What torchao says of its own use of torch concerns nobody who trains.
            warnings.simplefilter("ignore")
            from torchao.optim import AdamW8bit
    except ImportError:
        raise MissingExtra(
            "torchao is not installed",
            where="optimiser: adamw8bit",
            expected="the extra 'compress'",
            next_step="pip install 'modelwright[compress]', or choose adamw",
        ) from None
    from .eight_bit import step_without_compiler

    optimiser: Optimizer = AdamW8bit(
        group_parameters(parameters, settings.weight_decay, settings.decay),
        lr=settings.lr,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        block_size=settings.block_size,
    )
    if not settings.compile:
        step_without_compiler(optimiser)
    return optimiser
