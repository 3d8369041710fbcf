"""How fast a decoder writes on a CPU: ours against `transformers.generate` on the same folder, greedy, the same tokens out.

The sides take turns in one process; each turn writes so many tokens after prompts of 32. The first round of each warms up.
`first` is the time to the first token: the prompts are read. Ratios named `cpu` are of processor time, which says more than the
clock on the wall where other work shares the cores.

Usage: python benchmarks/generation.py [--sizes 10M 124M] [--batches 1 8] [--tokens 64] [--rounds 5] [--threads 1]
"""

import argparse
import importlib.metadata
import tempfile
import time
from pathlib import Path
from typing import Any

from side_by_side import HERE, show, spread, write_line, write_result

VOCABULARY, PROMPT, LENGTH = 8192, 32, 512


def make_folder(folder: Path, size: str) -> None:
    """Write a random decoder of a size from our table."""
    import torch

    from modelwright.models.decoder import DecoderModel
    from modelwright.models.decoder_settings import Decoder
    from modelwright.models.llama_folder import write_folder

    torch.manual_seed(1)
    model = DecoderModel(Decoder(size=size), VOCABULARY, LENGTH)
    write_folder(folder, model, end=0)


def ours(network: Any, prompts: list[list[int]], count: int) -> list[list[int]]:
    """Write with our cache; nothing ends before the count."""
    from modelwright.engine.generation import write

    return write(network, prompts, count, None)


def theirs(model: Any, prompts: list[list[int]], count: int) -> list[list[int]]:
    """Write with transformers, as it comes: its dynamic cache, greedy."""
    import torch

    tokens = torch.tensor(prompts)
    with torch.inference_mode():
        found = model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=None,
        )
    return found[:, tokens.shape[1] :].tolist()


def timed(work: Any, *arguments: Any) -> tuple[Any, float, float]:
    """Return an answer, the seconds it took, and the seconds of processor time."""
    began, began_cpu = time.perf_counter(), time.process_time()
    found = work(*arguments)
    return found, time.perf_counter() - began, time.process_time() - began_cpu


def compare(folder: Path, batch: int, options: argparse.Namespace) -> dict[str, Any]:
    """Take turns on one folder; return rates, ratios, and whether the tokens were the same."""
    import torch
    from transformers import AutoModelForCausalLM

    from modelwright.models.llama_folder import open_folder

    network, model = open_folder(folder).eval(), AutoModelForCausalLM.from_pretrained(folder).eval()
    drawn = torch.randint(1, VOCABULARY, (batch, PROMPT), generator=torch.Generator().manual_seed(batch))
    prompts = drawn.tolist()
    rounds = []
    for number in range(options.rounds + 1):
        turns = {"ours": (ours, network), "theirs": (theirs, model)}
        found, seconds, cpu, first, first_cpu = {}, {}, {}, {}, {}
        for name in sorted(turns, reverse=bool(number % 2)):
            write, side = turns[name]
            _, first[name], first_cpu[name] = timed(write, side, prompts, 1)
            found[name], seconds[name], cpu[name] = timed(write, side, prompts, options.tokens)
        if number:
            rounds.append(
                {
                    "same": found["ours"] == found["theirs"],
                    **{f"{name} tokens/s": batch * options.tokens / seconds[name] for name in turns},
                    "times faster": seconds["theirs"] / seconds["ours"],
                    "times faster, cpu": cpu["theirs"] / cpu["ours"],
                    "times faster to the first": first["theirs"] / first["ours"],
                    "times faster to the first, cpu": first_cpu["theirs"] / first_cpu["ours"],
                }
            )
    report = {name: spread([item[name] for item in rounds]) for name in rounds[0] if name != "same"}
    return {"batch": batch, "same_tokens": all(item["same"] for item in rounds), "report": report}


def main() -> None:
    """Compare every size and batch and write the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", nargs="+", default=["10M", "124M"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "generation.json")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    results = []
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            make_folder(Path(folder), size)
            for batch in options.batches:
                found = compare(Path(folder), batch, options)
                results.append({"size": size, **found})
                show(f"{size}, batch {batch}", found["report"])
                write_line(f"the same tokens: {found['same_tokens']}")
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers")}
    settings = {"threads": options.threads, "tokens": options.tokens, "prompt": PROMPT, "rounds": options.rounds}
    write_result(options.out, {"versions": versions, "settings": settings, "results": results, "note": options.note})


if __name__ == "__main__":
    main()
