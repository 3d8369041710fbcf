"""Two players in the one loop: a generator and a discriminator, each a turn with parameters and an optimiser of its own.

The generator's turn leaves its outputs for the discriminator's, which follows in the same step; so a step has one pass through the
generator. Whoever has no turn is frozen. Everything that outlives a step is in the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..methods.adversarial.losses import apart, contrast, gradient_penalty, judge_generated, middle, tell_apart
from ..methods.adversarial.seeing import adapt_probability, change_pictures
from ..methods.adversarial.settings import Gan, NoAdversary
from ..methods.adversarial.strokes import strokes_apart
from ..methods.adversarial.structure import structure_apart
from ..models.gan import PatchDiscriminator
from ..tasks.task import Batch
from .loop import Moment, Verdict
from .pictures import Pool

# Of each picture so many places are contrasted, by features of this width.
PLACES, WIDTH = 64, 64
# The probability of a change may go from none to its most within so many steps.
STEPS_TO_MOST = 2000
COLOURS = 3


class Heads(nn.Module):
    """State: for each size at which pictures are contrasted, two dense layers that make features comparable.

    Source: Park et al. 2020 (CUT), section 3.
    """

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH)) for width in widths
        )

    def forward(self, output: list[torch.Tensor], content: list[torch.Tensor]) -> torch.Tensor:
        """Return the contrastive loss of each picture, from what is seen of output and content at each size.

        Shapes: output list of (batch, channels, ...) float, content list of (batch, channels, ...) float -> (batch,) float
        """
        found = []
        for layer, mine, theirs in zip(self.layers, output, content, strict=True):
            count = mine.shape[2] * mine.shape[3]
            chosen = torch.randperm(count, device=mine.device)[:PLACES]
            sides = [layer(side.flatten(2)[:, :, chosen].transpose(1, 2)) for side in (mine, theirs)]
            found.append(contrast(*sides))
        return torch.stack(found).mean(dim=0)


class Game:
    """State: outputs of this step and of earlier ones, how probably pictures are changed, and how the players stand."""

    def __init__(
        self,
        settings: Gan,
        network: Any,
        companions: nn.ModuleDict,
        players: nn.ModuleDict,
        every: int,
        tight: bool = False,
    ) -> None:
        self.settings, self.network, self.companions, self.players = settings, network, companions, players
        self.every, self.tight = every, tight
        self.pools = {name: Pool(settings.pool) for name in players}
        self.adaptive = settings.augment == "adaptive"
        self.probability = 0.0 if self.adaptive else float(settings.augment)
        self.points: list[dict[str, float]] = []
        self.step = 0
        self._shown: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self._seen: list[torch.Tensor] = []

    def generator_losses(self, batch: Batch) -> torch.Tensor:
        """Return what the generator minimises for each picture, and leave its outputs for the discriminator's turn.

        Shapes: batch of b -> (b,) float
        """
        settings, content_BCHW, style_BCHW = self.settings, batch.inputs["image"], batch.targets
        output_BCHW = self._pass(self.network, content_BCHW)
        real_BCHW = style_BCHW
        shown_BCHW = output_BCHW
        if settings.content == "pairs":
            real_BCHW, shown_BCHW = (torch.cat([content_BCHW, side], dim=1) for side in (style_BCHW, output_BCHW))
        self._shown = {"style": (real_BCHW, shown_BCHW.detach())}
        with frozen(self.players):
            losses = judge_generated(self._judge("style", shown_BCHW), settings.loss)
            if settings.content == "cycle":
                cycle, back_BCHW = self._cycle(content_BCHW, style_BCHW, output_BCHW)
                losses = (
                    losses + settings.weight * cycle + judge_generated(self._judge("content", back_BCHW), settings.loss)
                )
            else:
                losses = losses + settings.weight * self._held(content_BCHW, style_BCHW, output_BCHW)
        if settings.strokes:
            losses = losses + settings.strokes * strokes_apart(output_BCHW, style_BCHW)
        if settings.identity:
            losses = losses + settings.identity * self._left_alone(content_BCHW, style_BCHW)
        self._look(content_BCHW, output_BCHW)
        return losses

    def _held(self, content_BCHW: torch.Tensor, style_BCHW: torch.Tensor, output_BCHW: torch.Tensor) -> torch.Tensor:
        """Return how far each output is from the content that it should keep."""
        kind = self.settings.content
        if kind == "pairs":
            return apart(output_BCHW, style_BCHW)
        if kind == "features":
            return structure_apart(output_BCHW, content_BCHW)
        return self._contrast(output_BCHW, content_BCHW)

    def _cycle(
        self, content_BCHW: torch.Tensor, style_BCHW: torch.Tensor, output_BCHW: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return how far each picture is from itself after both ways, and what the way back made of the pictures of style.

        Source: Zhu et al. 2017 (CycleGAN), equation 2.
        """
        back = self.companions["back"]
        back_BCHW = self._pass(back, style_BCHW)
        self._shown["content"] = (content_BCHW, back_BCHW.detach())
        cycle = apart(self._pass(back, output_BCHW), content_BCHW) + apart(
            self._pass(self.network, back_BCHW), style_BCHW
        )
        return cycle, back_BCHW

    def _left_alone(self, content_BCHW: torch.Tensor, style_BCHW: torch.Tensor) -> torch.Tensor:
        """Return how far what is in the style already is changed."""
        again_BCHW = self._pass(self.network, style_BCHW)
        if self.settings.content == "contrastive":
            return self._contrast(again_BCHW, style_BCHW)
        found = apart(again_BCHW, style_BCHW)
        return (
            found + apart(self._pass(self.companions["back"], content_BCHW), content_BCHW)
            if "back" in self.companions
            else found
        )

    def _contrast(self, output_BCHW: torch.Tensor, content_BCHW: torch.Tensor) -> torch.Tensor:
        heads: Heads = self.companions["heads"]  # type: ignore[assignment]
        found: torch.Tensor = heads(self.network.features(output_BCHW), self.network.features(content_BCHW))
        return found

    def _pass(self, network: Any, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Send pictures through a generator; where memory is tight, only they are kept, and the way is gone again for the gradient.

        Source: Chen et al. 2016 (sublinear memory), section 3. A generator has no statistics of batches, so it answers the same again.
        """
        if not (self.tight and torch.is_grad_enabled()):
            answer: torch.Tensor = network(images_BCHW)
            return answer
        again: torch.Tensor = checkpoint(network, images_BCHW, use_reentrant=False, preserve_rng_state=False)
        return again

    def discriminator_losses(self, batch: Batch) -> torch.Tensor:
        """Return what the discriminator minimises for each pair of a real picture and an output, kept by the generator's turn.

        Shapes: batch of b -> (b,) float
        """
        settings, total = self.settings, torch.zeros(len(batch))
        rights = []
        for name, (real_BCHW, output_BCHW) in self._shown.items():
            output_BCHW = self.pools[name].exchange(output_BCHW)
            real_BCHW = real_BCHW.detach().requires_grad_(settings.r1 > 0)
            real, generated = self._judge(name, real_BCHW), self._judge(name, output_BCHW)
            total = total + tell_apart(real, generated, settings.loss)
            if settings.r1:
                total = total + settings.r1 * gradient_penalty(real, real_BCHW)
            rights += [(real.detach() > middle(settings.loss)).float().mean()]
            rights += [(generated.detach() < middle(settings.loss)).float().mean()]
        self._shown = {}
        self._seen = [*self._seen[-2:], torch.stack(rights)]
        return total

    def _judge(self, name: str, images_BCHW: torch.Tensor) -> torch.Tensor:
        edge = self.settings.margin
        if edge:
            images_BCHW = images_BCHW[:, :, edge:-edge, edge:-edge]
        answer: torch.Tensor = self.players[name](change_pictures(images_BCHW, self.probability))
        return answer

    def _look(self, content_BCHW: torch.Tensor, output_BCHW: torch.Tensor) -> None:
        """Note how much outputs differ from each other, beside how much their contents do."""
        # A picture that is alone is compared with itself, place by place.
        over = (0,) if len(output_BCHW) > 1 else (2, 3)
        sides = [side.detach().float().std(dim=over).mean() for side in (output_BCHW, content_BCHW)]
        self._seen = [sides[0], sides[1]]

    def __call__(self, moment: Moment) -> bool:
        """Write down how the players stand, if it is time, and change the probability, if it adapts."""
        self.step = moment.step + 1
        if moment.verdict is not Verdict.APPLY or len(self._seen) < 3:
            return False
        output, content, rights = self._seen
        known = float(rights[0])
        if self.adaptive:
            # What is known of real pictures: 1 all, 0 half, -1 none.
            self.probability = adapt_probability(self.probability, 2 * known - 1, 1 / STEPS_TO_MOST)
        if self.step % self.every == 0:
            spread = float(content)
            self.points.append(
                {
                    "step": self.step,
                    "right": float(rights.mean()),
                    "diversity": float(output) / spread if spread else 1.0,
                    "changed": self.probability,
                }
            )
        return False

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        tensors = {f"companions/{name}": tensor for name, tensor in self.companions.state_dict().items()}
        tensors |= {f"pool/{name}": pool.kept for name, pool in self.pools.items() if len(pool.kept)}
        return tensors, {"probability": self.probability, "points": list(self.points), "step": self.step}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        prefix = "companions/"
        self.companions.load_state_dict(
            {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        )
        for name, pool in self.pools.items():
            pool.kept = tensors.get(f"pool/{name}", torch.empty(0))
        self.probability, self.points, self.step = numbers["probability"], list(numbers["points"]), numbers["step"]
        self._shown, self._seen = {}, []


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let no gradient arrive at the parameters of whoever has no turn."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def build_none(settings: NoAdversary) -> nn.ModuleDict:
    """Return nobody: the model is trained alone."""
    return nn.ModuleDict()


def build_discriminators(settings: Gan) -> nn.ModuleDict:
    """Build whoever judges: one for the style, and one for the content where a second generator finds the way back."""
    said = settings.discriminator
    channels = 2 * COLOURS if settings.content == "pairs" else COLOURS
    names = ("style", "content") if settings.content == "cycle" else ("style",)
    return nn.ModuleDict({name: PatchDiscriminator(channels, said.channels, said.layers) for name in names})
