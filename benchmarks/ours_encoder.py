"""Our side of the encoder benchmark: a small BERT in modelwright's own loop. It also builds the network for the peer.

Usage: python ours_encoder.py --rows ROWS.npz --seed 0 --epochs 4 --threads 2 --precision float32
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "src"))

from ours_tabular import now, rates_of  # noqa: E402
from ours_text import LENGTH, VOCABULARY, read_rows  # noqa: E402

BATCH, RATE, DECAY, CLIP = 32, 5e-4, 0.01, 1.0
NETWORK = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512}


def build_network(classes: int, seed: int):
    """Build transformers' BERT, small and with random weights, and a head: the network that both sides train."""
    import torch
    import transformers

    from modelwright.models.hugging_face import TextClassifier

    torch.manual_seed(seed)
    config = transformers.BertConfig(vocab_size=VOCABULARY, max_position_embeddings=LENGTH, pad_token_id=0, **NETWORK)
    return TextClassifier(transformers.BertModel(config, add_pooling_layer=False), config.hidden_size, classes, 0.1)


def accuracy_of(network, examples) -> float:
    """Return the share of right answers of a network on some rows, batch by batch."""
    import numpy as np
    import torch

    network.eval()
    right = 0
    for start in range(0, len(examples), 250):
        part = examples.take(np.arange(start, min(start + 250, len(examples)))).columns
        with torch.inference_mode():
            answers = network(torch.from_numpy(part["tokens"]).long(), torch.from_numpy(part["length"]).long())
        right += int((answers.argmax(dim=1).numpy() == part["target"]).sum())
    return right / len(examples)


def read_options(doc: str) -> argparse.ArgumentParser:
    """Return the parser of what both sides are told."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--mixed-lengths", action="store_true", help="do not put texts of about one length together")
    return parser


def train_for(options: argparse.Namespace) -> dict[str, object]:
    """Train for some epochs with the parts that every run of the product has."""
    from modelwright.core.randomness import derive_seed
    from modelwright.core.recipe import recipe_from
    from modelwright.engine.guard import Guard
    from modelwright.engine.incidents import DataOrder
    from modelwright.engine.loader import Loader
    from modelwright.engine.loop import train
    from modelwright.engine.observers import LossHistory
    from modelwright.engine.predictor import build_task
    from modelwright.engine.rules import clip_norm
    from modelwright.layouts.local import Local
    from modelwright.stages.train.parts import build_load, build_objective, build_sampler, build_turn

    training, validation = read_rows(options.rows)
    optimiser = {"kind": "adamw", "lr": RATE, "weight_decay": DECAY}
    section = {"batch": BATCH, "optimiser": optimiser, "schedule": "linear", "precision": options.precision}
    section |= {"sampler": "shuffled" if options.mixed_lengths else "by_length"}
    rest = {"task": "text", "data": {"kind": "jsonl", "path": "none"}, "model": "transformer", "train": section}
    recipe = recipe_from({"version": 1, "seed": options.seed, **rest}, Path())
    settings, task = recipe.sections["train"], build_task(recipe.sections["task"])
    sampler = build_sampler(settings, training, derive_seed(options.seed, "sampler"))
    per_epoch = sampler.steps_per_epoch
    total = options.epochs * per_epoch
    layout = Local(precision=settings.precision)
    network = layout.place(build_network(len(training.learnt["classes"]), options.seed))
    network.train()
    ends: list[tuple[float, float]] = []

    def clock(moment) -> bool:
        if (moment.step + 1) % per_epoch == 0:
            ends.append(now())
        return False

    loader = Loader(build_load(settings, task, training, derive_seed(options.seed, "load")), None)
    train(
        turns=[build_turn(settings, task, network, total, per_epoch)],
        batches=loader.batches(sampler.batches(0, total)),
        layout=layout,
        objective=build_objective(settings, training),
        rules=[Guard(), clip_norm(CLIP)],
        observers=[LossHistory(per_epoch), DataOrder(), clock],
        seed_of_step=lambda step: derive_seed(options.seed, "step", step),
    )
    return {**rates_of(ends, len(training)), "accuracy": accuracy_of(network, validation)}


def main() -> None:
    """Read the command line, train once, write the result as one JSON object."""
    options = read_options(__doc__).parse_args()
    import torch

    from modelwright.engine.memory import keep_freed_memory

    torch.set_num_threads(options.threads)
    keep_freed_memory("fast")
    result = train_for(options)
    about = {"seed": options.seed, "threads": options.threads, "precision": options.precision}
    sys.stdout.write(json.dumps(result | about | {"versions": {"torch": torch.__version__}}) + "\n")


if __name__ == "__main__":
    main()
