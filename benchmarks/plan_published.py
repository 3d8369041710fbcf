"""Memory and time that others published of trainings on GPUs, against what our trace says of the same training.

`python benchmarks/plan_published.py` writes what is predicted to results/plan_published_predictions.json; only when that has been
committed does `... --compare` put the published numbers beside it, in results/plan_published.json.

The training is that of torchtitan in December 2024 (docs/performance.md): Llama 3.1 8B, 8192 tokens, two rows a GPU, FSDP2 with
parameters in bfloat16 and gradients summed in float32, selective checkpointing that keeps every second product of matrices, the
logits whole and in float32, AdamW (foreach), the norm of the gradient clipped. Memory is the most that the allocator reserved.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PREDICTED, COMPARED = RESULTS / "plan_published_predictions.json", RESULTS / "plan_published.json"
VOCABULARY, TOKENS, ROWS = 128_256, 8192, 2
GIBIBYTE = 1 << 30
# Name -> machine, devices, published GiB (None: not published) and seconds a step, eager.
ROWS_PUBLISHED: dict[str, tuple[str, int, float | None, float]] = {
    "llama 3.1 8B, 8 H100": ("h100", 8, 82.4, 2.84),
    "llama 3.1 8B, 128 H100": ("h100", 128, 67.0, 2.92),
    "llama 3 8B, 64 A100": ("a100", 64, None, 2.76),
}


def keeping_every_second_product() -> Any:
    """Return the contexts of torchtitan's selective checkpointing: of products every second one is computed again."""
    import torch
    from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

    aten = torch.ops.aten
    kept = {
        aten.mm.default,
        aten._scaled_dot_product_flash_attention_for_cpu.default,
        torch.ops._c10d_functional.reduce_scatter_tensor.default,
    }
    seen = {True: 0, False: 0}

    def policy(context: Any, operator: Any, *args: Any, **named: Any) -> Any:
        if operator is aten.mm.default:
            seen[context.is_recompute] += 1
            again = seen[context.is_recompute] % 2 == 0
            return CheckpointPolicy.PREFER_RECOMPUTE if again else CheckpointPolicy.MUST_SAVE
        return CheckpointPolicy.MUST_SAVE if operator in kept else CheckpointPolicy.PREFER_RECOMPUTE

    return create_selective_checkpoint_contexts(policy)


def build(mesh: Any) -> Any:
    """Build the network, sharded."""
    import torch
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
    from torch.utils.checkpoint import checkpoint

    from modelwright.models.decoder import DecoderModel
    from modelwright.models.decoder_settings import Decoder

    network = DecoderModel(Decoder(size="8B", tied=False), VOCABULARY, TOKENS)
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    for place, block in enumerate(network.blocks):
        block.forward = partial(checkpoint, block.forward, use_reentrant=False, context_fn=keeping_every_second_product)
        last = place == len(network.blocks) - 1
        fully_shard(block, mesh=mesh, mp_policy=policy, reshard_after_forward=not last)
    fully_shard(network, mesh=mesh, mp_policy=policy)
    return network


def step(network: Any, optimiser: Any, tokens: Any, targets: Any) -> None:
    """Take one step as theirs is taken."""
    import torch

    logits = network(tokens)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
    del logits
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0, foreach=True)
    optimiser.step()
    optimiser.zero_grad()


def predict(machine: str, devices: int) -> dict[str, float]:
    """Trace two steps as the first of so many processes, and say what they take."""
    import torch
    from torch.distributed.device_mesh import init_device_mesh

    from modelwright.engine.tracing.adapter import for_real
    from modelwright.engine.tracing.attention import attention_of_gpus
    from modelwright.engine.tracing.fake_group import fake_group
    from modelwright.engine.tracing.tracer import Tracer
    from modelwright.methods.planning.allocator import replay
    from modelwright.methods.planning.device import step_time
    from modelwright.methods.planning.log import live_memory
    from modelwright.stages.plan.machine import machine_of

    tracer = Tracer()
    with attention_of_gpus(), fake_group(0, devices, tracer.stream), tracer.tracing():
        tracer.phase("building")
        with for_real():
            mesh = init_device_mesh("cpu", (devices,))
        network = build(mesh)
        optimiser = torch.optim.AdamW(network.parameters(), lr=3e-4, foreach=True)
        for _ in range(2):
            tracer.phase("training")
            tokens = torch.zeros(ROWS, TOKENS, dtype=torch.int64)
            step(network, optimiser, tokens, torch.zeros_like(tokens))
        tracer.phase("training")
    device = machine_of(machine, 1).device
    assert device is not None
    reserved, time = replay(tracer.log), step_time(tracer.log, device)
    return {
        "live_gibibytes": round(live_memory(tracer.log, ()).peak / GIBIBYTE, 2),
        "reserved_gibibytes": round(reserved.reserved / GIBIBYTE, 2),
        "reserved_without_expandable_segments": round(replay(tracer.log, (), False).reserved / GIBIBYTE, 2),
        "seconds": round(time.seconds, 3),
        "work": round(time.work, 3),
        "beside": round(time.beside, 3),
    }


def main(compare: bool) -> None:
    """Predict, or compare what was predicted."""
    if not compare:
        found = {name: predict(machine, devices) for name, (machine, devices, _, _) in ROWS_PUBLISHED.items()}
        PREDICTED.write_text(json.dumps({"date": str(date.today()), "predicted": found}, indent=1) + "\n")
        print(PREDICTED.read_text())
        return
    predicted = json.loads(PREDICTED.read_text())["predicted"]
    rows = {}
    for name, (_, _, memory, seconds) in ROWS_PUBLISHED.items():
        said = predicted[name]
        rows[name] = {
            **said,
            "published_gibibytes": memory,
            "published_seconds": seconds,
            "memory_error": round(said["reserved_gibibytes"] / memory - 1, 4) if memory else None,
            "time_error": round(said["seconds"] / seconds - 1, 4),
        }
    COMPARED.write_text(json.dumps({"date": str(date.today()), "rows": rows}, indent=1) + "\n")
    print(COMPARED.read_text())


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--compare", action="store_true", help="put published numbers beside what was predicted")
    main(arguments.parse_args().compare)
