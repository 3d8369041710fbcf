"""The harness: lm-eval's `local-completions` asks a server about a task in a folder; its scores go to standard output.

Usage: python lm_eval_side.py --address http://127.0.0.1:8080 --model NAME --tokenizer FOLDER --tasks FOLDER
"""

import argparse
import json
import sys

import lm_eval
from lm_eval.tasks import TaskManager


def main() -> None:
    """Ask, and write each context, continuation and score as the last line."""
    parser = argparse.ArgumentParser()
    for name in ("address", "model", "tokenizer", "tasks"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    found = lm_eval.simple_evaluate(
        model="local-completions",
        model_args={
            "model": options.model, "base_url": f"{options.address}/v1/completions", "tokenizer": options.tokenizer,
            "tokenizer_backend": "huggingface", "tokenized_requests": True, "max_length": 64, "num_concurrent": 1,
        },
        tasks=["verses"],
        task_manager=TaskManager(include_path=options.tasks),
        bootstrap_iters=0,
    )  # fmt: skip
    scored = [
        {
            "context": argument[0],
            "continuation": argument[1],
            "score": float(response[0][0]),
            "greedy": bool(response[0][1]),
        }
        for sample in found["samples"]["verses"]
        for argument, response in zip(sample["arguments"], sample["resps"], strict=True)
    ]
    results = {name: value for name, value in found["results"]["verses"].items() if isinstance(value, float)}
    sys.stdout.write(json.dumps({"scored": scored, "results": results, "version": lm_eval.__version__}) + "\n")


if __name__ == "__main__":
    main()
