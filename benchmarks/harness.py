"""Whether lm-eval, asking our server, finds what we find in process: the log-likelihood of every answer of a small task.

Trains a tiny model, serves its release, lets `local-completions` (`peers/lm_eval_side.py`, with a Python that has lm-eval and
transformers) score a multiple-choice task of its own, and compares each score with the sum over the same tokens in process.

Usage: python benchmarks/harness.py --python VENV/bin/python
"""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from side_by_side import HERE, run_side, write_line, write_result

LINES = ["the sun went down", "and the moon came up", "over the hill", "a star is far", "the sea is near", "we go home"]
RECIPE = """version: 1
name: verses
task: {kind: language, tokens: bpe, vocabulary: 300, length: 64}
data: {kind: text, path: texts, label: none}
model: {kind: decoder, layers: 2, width: 32, heads: 4, key_value_heads: 2}
prepare: {split: {test: 20 %, validation: 20 %}}
train: {length: 80 steps, batch: 16, threads: 1, optimiser: {kind: muon, adamw_lr: 0.01}}
evaluate: {resamples: 100, floor: none, samples: {count: 0}}
release: {owner: Ada, approver: Grace, purpose: To be scored by a harness.}
"""
TASK = """task: verses
dataset_path: json
dataset_kwargs: {data_files: {test: TASKS/verses.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{text}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{label}}"
target_delimiter: ""
metric_list: [{metric: acc}]
"""
TOLERANCE = 1e-4


def prepare(folder: Path) -> Path:
    """Write texts, recipe and task, and train; return the release."""
    dice = random.Random(1)
    (folder / "texts").mkdir()
    (folder / "tasks").mkdir()
    for number in range(60):
        text = "\n".join([*dice.choices(LINES, k=dice.randint(2, 4)), "the end"])
        (folder / "texts" / f"{number}.txt").write_text(text)
    (folder / "verses.yaml").write_text(RECIPE)
    rows = []
    for _ in range(12):
        begun, choices = (
            "\n".join(dice.choices(LINES, k=2)),
            ["\nthe end", "\nwe go home", "\nover the sea", " hill end"],
        )
        rows.append({"text": begun, "choices": choices, "label": dice.randrange(4)})
    (folder / "tasks" / "verses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "tasks" / "verses.yaml").write_text(TASK.replace("TASKS", str(folder / "tasks")))
    command = [
        sys.executable,
        "-m",
        "modelwright",
        "release",
        str(folder / "verses.yaml"),
        "--runs",
        str(folder / "runs"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the release failed:\n{done.stderr[-2000:]}")
    return folder / "runs" / "verses" / "release"


def write_tokeniser(folder: Path, learnt: dict) -> None:
    """Write the vocabulary as a folder that transformers opens."""
    folder.mkdir()
    (folder / "tokenizer.json").write_text(learnt["tokeniser"])
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def served(release: Path, folder: Path) -> tuple[subprocess.Popen, str]:
    """Serve the release; return the process and its address once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "modelwright",
        "serve",
        str(release),
        f"serve.port={port}",
        "serve.deadline_ms=60000",
    ]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address, until = f"http://127.0.0.1:{port}", time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/v2/health/ready") as answer:
                if answer.status == 200:
                    return process, address
        except OSError:
            pass
        time.sleep(0.3)
    process.kill()
    raise SystemExit("the server did not become ready")


def in_process(predictor: object, scored: list[dict]) -> list[dict]:
    """Score the same continuations; say also whether the end of the text is the most likely token after each."""
    import torch

    from modelwright.tasks.vocabulary import Vocabulary

    network, vocabulary, found = predictor.network.eval(), Vocabulary(predictor.learnt), []
    for item in scored:
        whole = vocabulary.encode(item["context"] + item["continuation"]).tokens.tolist()
        before = len(vocabulary.encode(item["context"]).tokens)
        with torch.inference_mode():
            logprobs = network(torch.tensor([whole]))[0].double().log_softmax(dim=-1)
        score = sum(float(logprobs[at - 1, whole[at]]) for at in range(before, len(whole)))
        found.append({"score": score, "ends": int(logprobs[-1].argmax()) == vocabulary.end})
    return found


def main() -> None:
    """Compare and write the largest difference."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "harness.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        release = prepare(folder)
        from modelwright.engine.predictor import open_predictor

        predictor = open_predictor(release)
        write_tokeniser(folder / "tokenizer", predictor.learnt)
        process, address = served(release, folder)
        try:
            arguments = ["--address", address, "--model", "verses", "--tokenizer", str(folder / "tokenizer")]
            offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "home")}
            peer = run_side(
                options.python, "peers/lm_eval_side.py", [*arguments, "--tasks", str(folder / "tasks")],
                {**offline, "PYTHONPATH": ""},
            )  # fmt: skip
        finally:
            process.terminate()
            process.wait(30)
    ours = in_process(predictor, peer["scored"])
    worst = max(abs(one["score"] - other["score"]) for one, other in zip(ours, peer["scored"], strict=True))
    ends = sum(one["ends"] for one in ours)
    write_line(
        f"{len(ours)} scores, largest difference {worst:.2e} nats; after {ends} of them the text would have ended"
    )
    content = {
        "versions": {"lm_eval": peer["version"]}, "scores": len(ours), "largest_difference": worst, "tolerance": TOLERANCE,
        "equal": worst <= TOLERANCE, "followed_by_the_end": ends, "results": peer["results"], "cores": os.cpu_count(),
    }  # fmt: skip
    write_result(options.out, content)
    if worst > TOLERANCE:
        raise SystemExit("the harness finds other scores")


if __name__ == "__main__":
    main()
