"""The peer: a GPT-2 in plain PyTorch with nanoGPT's published recipe for a CPU, written anew after its description.

4 layers of width 128, 4 heads, length 64, batch 12, 2000 steps of AdamW at random places of the text, loss on random places
of the last tenth. It shares no code with the other side and writes one JSON object as the last line of its output.

Usage: python nano_gpt.py --text input.txt --steps 2000 --threads 2
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy
import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """State: attention and a feed-forward layer, each behind a layer norm without bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.joint, self.mix = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.wide, self.narrow = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, stream: torch.Tensor) -> torch.Tensor:
        """Return the stream after this block."""
        rows, tokens, width = stream.shape
        split = self.joint(self.first(stream)).split(width, dim=2)
        query, key, value = (part.view(rows, tokens, self.heads, -1).transpose(1, 2) for part in split)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        stream = stream + self.mix(mixed.transpose(1, 2).reshape(rows, tokens, width))
        return stream + self.narrow(functional.gelu(self.wide(self.second(stream))))


class Gpt(nn.Module):
    """State: embeddings of tokens and places, blocks, a last norm; the head shares the embedding's weights."""

    def __init__(self, vocabulary: int, length: int, layers: int, width: int, heads: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                residual = name.endswith(("mix.weight", "narrow.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * layers) if residual else 0.02)

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss."""
        stream = self.tokens(tokens) + self.places.weight[: tokens.shape[1]]
        for block in self.blocks:
            stream = block(stream)
        logits = functional.linear(self.norm(stream), self.tokens.weight)
        return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def draw(text: numpy.ndarray, batch: int, length: int, dice: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch from random places."""
    starts = torch.randint(len(text) - length, (batch,), generator=dice).tolist()
    rows = torch.from_numpy(numpy.stack([text[start : start + length + 1] for start in starts]).astype(numpy.int64))
    return rows[:, :-1], rows[:, 1:]


def rate(step: int, steps: int, highest: float) -> float:
    """Return the learning rate: 100 steps of warm-up, then a cosine to a tenth."""
    if step < 100:
        return highest * (step + 1) / 101
    share = (step - 100) / max(1, steps - 100)
    return highest * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))


def train(options: argparse.Namespace) -> dict:
    """Train and measure; the clock stands still while losses are measured."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    dice = torch.Generator().manual_seed(options.seed)
    characters = options.text.read_text(encoding="utf-8")
    known = {character: number for number, character in enumerate(sorted(set(characters)))}
    numbers = numpy.array([known[character] for character in characters], dtype=numpy.uint16)
    cut = int(0.9 * len(numbers))
    training, validation = numbers[:cut], numbers[cut:]
    model = Gpt(len(known), options.length, options.layers, options.width, options.heads)
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
    seconds, cpu_seconds, losses = 0.0, 0.0, []
    for step in range(options.steps):
        began, began_cpu = time.perf_counter(), time.process_time()
        for group in optimiser.param_groups:
            group["lr"] = rate(step, options.steps, options.lr)
        tokens, targets = draw(training, options.batch, options.length, dice)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
            loss = model(tokens, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        seconds += time.perf_counter() - began
        cpu_seconds += time.process_time() - began_cpu
        if options.judge and (step + 1 == options.steps or (step + 1) % 250 == 0):
            losses.append({"step": step + 1, "seconds": seconds, "loss": judge(model, validation, options)})
    tokens_seen = options.steps * options.batch * options.length
    return {
        "seconds": seconds, "cpu_seconds": cpu_seconds, "losses": losses, "tokens_per_second": tokens_seen / seconds,
        "parameters": sum(weight.numel() for weight in model.parameters()), "torch": torch.__version__,
    }  # fmt: skip


@torch.inference_mode()
def judge(model: Gpt, text: numpy.ndarray, options: argparse.Namespace) -> float:
    """Return the mean loss over all windows of a text, one after the other."""
    count = (len(text) - 1) // options.length
    rows = numpy.stack([text[at * options.length : (at + 1) * options.length + 1] for at in range(count)])
    whole = torch.from_numpy(rows.astype(numpy.int64))
    sums = [float(model(part[:, :-1], part[:, 1:])) * len(part) for part in whole.split(64)]
    return sum(sums) / count


def main() -> None:
    """Read the arguments, train, and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", type=Path, required=True)
    for name, value in (("layers", 4), ("width", 128), ("heads", 4), ("length", 64), ("batch", 12), ("steps", 2000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--judge", action="store_true")
    sys.stdout.write(json.dumps(train(parser.parse_args())) + "\n")


if __name__ == "__main__":
    main()
