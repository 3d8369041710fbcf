"""A CycleGAN step at 256 px: ours, fast and tight, against a plain PyTorch loop over the same networks, losses and pictures.

Each side runs in a process of its own, several times in turn. `plain` is the step as the paper's authors wrote it: both
generators, both discriminators, Adam, pool of earlier outputs, identity, contiguous pictures in float32. Ours is the training
loop of the product with its observers, asked for by a recipe. Throughput is pictures of content a second over the steps after
the first ones; memory is the peak of PyTorch's allocator under its profiler, in a run of its own.

Usage: python benchmarks/style_speed.py [--steps 8] [--rounds 3]
"""

import argparse
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import describe_machine

HERE = Path(__file__).resolve().parent
SIDE, CHANNELS, BLOCKS, LAYERS, WARM_UP = 256, 32, 6, 3, 2
SIDES = ("plain", "fast", "fast bfloat16", "tight")


def write_pictures(folder: Path, count: int) -> None:
    """Write random pictures of two kinds."""
    import numpy as np
    from PIL import Image

    dice = np.random.default_rng(0)
    for name in ("content", "style"):
        (folder / name).mkdir()
        for number in range(count):
            pixels = dice.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03d}.png")


def recipe_of(folder: Path, side: str, steps: int) -> dict:
    """Return the recipe of one of our sides."""
    return {
        "version": 1,
        "name": "speed",
        "seed": 1,
        "task": "style",
        "data": {
            "kind": "domains",
            "content": str(folder / "content"),
            "style": str(folder / "style"),
            "size": [SIDE, SIDE],
        },
        "model": {"kind": "residual_generator", "channels": CHANNELS, "blocks": BLOCKS, "change": False},
        "prepare": {"split": {"validation": 0.17, "test": 0.17}},
        "train": {
            "length": f"{steps} steps",
            "batch": 1,
            "threads": 2,
            "keep": "last",
            "memory": "tight" if side == "tight" else "fast",
            "precision": "bfloat16" if "bfloat16" in side else "float32",
            "validate_every": f"{steps} steps",
            "optimiser": {"kind": "adam", "lr": 2e-4, "beta1": 0.5},
            "adversarial": {
                "kind": "gan",
                "content": "cycle",
                "weight": 10.0,
                "identity": 5.0,
                "pool": 50,
                "discriminator": {"channels": 64, "layers": LAYERS},
            },
        },
    }


class Clock:
    """State: when each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def __call__(self, moment=None) -> bool:
        self.ends.append(time.perf_counter())
        return False

    def seconds(self) -> float:
        """Return the median seconds of a step after the first ones."""
        steps = [after - before for before, after in zip(self.ends, self.ends[1:], strict=False)]
        return statistics.median(steps[WARM_UP:] or steps)


def plain(steps: int, clock: Clock) -> None:
    """Take the steps in plain PyTorch."""
    import itertools
    import random

    import torch

    from modelwright.models.gan import PatchDiscriminator, ResidualNetwork
    from modelwright.models.gan_settings import ResidualGenerator

    torch.set_num_threads(2)
    torch.manual_seed(1)
    said = ResidualGenerator(channels=CHANNELS, blocks=BLOCKS, change=False)
    forth, back = ResidualNetwork(said), ResidualNetwork(said)
    of_style, of_content = (PatchDiscriminator(3, 64, LAYERS) for _ in range(2))
    players = [of_style, of_content]
    first = torch.optim.Adam(itertools.chain(forth.parameters(), back.parameters()), lr=2e-4, betas=(0.5, 0.999))
    second = torch.optim.Adam(
        itertools.chain(*(player.parameters() for player in players)), lr=2e-4, betas=(0.5, 0.999)
    )
    apart, squared = torch.nn.L1Loss(), torch.nn.MSELoss()
    pools: list[list[torch.Tensor]] = [[], []]

    def query(pool: list[torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        if len(pool) < 50:
            pool.append(image.clone())
            return image
        if random.random() < 0.5:
            place = random.randrange(50)
            image, pool[place] = pool[place].clone(), image.clone()
        return image

    def truth(answer: torch.Tensor, value: float) -> torch.Tensor:
        return squared(answer, torch.full_like(answer, value))

    for _ in range(steps):
        content, style = torch.rand(2, 1, 3, SIDE, SIDE) * 2 - 1
        styled, plainer = forth(content), back(style)
        cycled, recycled = back(styled), forth(plainer)
        for player in players:
            player.requires_grad_(False)
        first.zero_grad()
        loss = truth(of_style(styled), 1.0) + truth(of_content(plainer), 1.0)
        loss = loss + 10 * apart(cycled, content) + 10 * apart(recycled, style)
        loss = loss + 5 * apart(forth(style), style) + 5 * apart(back(content), content)
        loss.backward()
        first.step()
        for player in players:
            player.requires_grad_(True)
        second.zero_grad()
        for player, pool, real, made in zip(players, pools, (style, content), (styled, plainer), strict=True):
            ((truth(player(real), 1.0) + truth(player(query(pool, made.detach())), 0.0)) / 2).backward()
        second.step()
        clock()


def ours(side: str, steps: int, clock: Clock, folder: Path) -> None:
    """Take the steps with the train stage of a recipe; the clock is one more observer of its loop."""
    from modelwright.core.execute import run
    from modelwright.core.recipe import recipe_from
    from modelwright.stages.train import by_steps

    loop = by_steps.train

    def timed(**parts):
        return loop(**{**parts, "observers": [*parts["observers"], clock]})

    by_steps.train = timed
    run(recipe_from(recipe_of(folder, side, steps), folder), "train", folder=folder / "run")


def one(side: str, steps: int, memory: bool) -> dict:
    """Run a side in this process; return seconds of a step, or the peak of the allocator."""
    import contextlib

    clock = Clock()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        write_pictures(folder, 12)
        seen = contextlib.nullcontext()
        if memory:
            import torch

            seen = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True)
        with seen as profiled:
            plain(steps, clock) if side == "plain" else ours(side, steps, clock, folder)
        if not memory:
            return {"seconds": clock.seconds()}
        profiled.export_chrome_trace(str(folder / "trace.json"))
        events = json.loads((folder / "trace.json").read_text())["traceEvents"]
        return {"bytes": max(event["args"]["Total Allocated"] for event in events if event["name"] == "[memory]")}


def main() -> None:
    """Run all sides in turn, then each once for its memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=SIDES)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "style_speed.json")
    options = parser.parse_args()
    if options.one:
        sys.stdout.write(json.dumps(one(options.one, options.steps, options.memory)) + "\n")
        return

    def ask(side: str, *more: str) -> dict:
        command = [sys.executable, __file__, "--one", side, "--steps", str(options.steps), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        sys.stdout.write(f"{side}: {found}\n")
        sys.stdout.flush()
        return found

    options.steps = max(options.steps, WARM_UP + 2)
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(options.rounds):
        for place in range(len(SIDES)):
            side = SIDES[(place + number) % len(SIDES)]
            seconds[side].append(ask(side)["seconds"])
    options.steps = 3
    memory = {side: ask(side, "--memory")["bytes"] for side in SIDES}
    plainly = seconds["plain"]
    import torch

    report = {
        side: {
            "pictures_per_second": [1 / value for value in values],
            "times_plain": [other / value for other, value in zip(plainly, values, strict=True)],
            "median_times_plain": statistics.median(
                other / value for other, value in zip(plainly, values, strict=True)
            ),
            "peak_bytes": memory[side],
            "share_of_plain_peak": memory[side] / memory["plain"],
        }
        for side, values in seconds.items()
    }
    content = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": {"torch": torch.__version__},
        "protocol": {
            "side": SIDE,
            "channels": CHANNELS,
            "blocks": BLOCKS,
            "batch": 1,
            "threads": 2,
            "rounds": options.rounds,
        },
        "sides": report,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(content, indent=1) + "\n")
    for side, found in report.items():
        sys.stdout.write(
            f"{side}: {found['median_times_plain']:.2f} x plain, peak {found['share_of_plain_peak']:.2f} of plain's\n"
        )


if __name__ == "__main__":
    main()
