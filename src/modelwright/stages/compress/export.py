"""The step `export`: an ONNX file that answers as the network does, for any number of examples at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...core.errors import RecipeError
from ...core.files import write_json
from ...engine.network_folder import Stored, read_network
from ...engine.onnx_network import ANSWER, FILE, first_line, import_onnx, runtime_errors
from ...engine.predictor import CONFIG, LEARNT, open_predictor, torch_predictor
from ...methods.compression.settings import Export
from ...tasks.task import Examples
from .bench import Bench, quiet, require_parity
from .graph import without_notes

# So many single examples show which dimensions of a batch vary.
EXAMPLES = 64
# So many pictures of every other size are compared.
PICTURES = 4


def run(settings: Export, bench: Bench, before: Path, after: Path) -> dict[str, Any]:
    """Write the model as one ONNX file.

    Raises:
        RecipeError: the network has a part that cannot be exported.
        DamagedArtifact: the file does not answer as the network does.
    """
    stored = read_network(before)
    export_network(stored, bench, after)
    reference = torch_predictor(stored.network, bench.task, stored.learnt)
    try:
        found, what = open_predictor(after), "the exported file"
        return {"parity": max(require_parity(one, found, reference, what) for one in _sizes(bench))}
    except runtime_errors() as error:
        # The exporter wrote down something that holds for the examples it saw only.
        raise refused(bench, f"the file cannot be run: {first_line(error)}", "a network of other layers") from None


def _sizes(bench: Bench) -> Iterator[Bench]:
    """Yield the bench; where pictures of every size are answered, also with pictures smaller and larger, of odd sides."""
    yield bench
    if "pixels" not in bench.validation.learnt:
        return
    images = np.asarray(bench.validation.columns["image"][:PICTURES])
    height, width = images.shape[1:3]
    for tall, wide in ((height - 3, width - 5), (height + 7, 2 * width + 1)):
        cut = images[:, np.arange(tall) % height][:, :, np.arange(wide) % width]
        columns = {"image": np.ascontiguousarray(cut), "target": np.full(len(cut), -1, np.int64)}
        learnt = {**bench.validation.learnt, "height": tall, "width": wide}
        yield replace(bench, validation=Examples(columns, learnt))


def export_network(stored: Stored, bench: Bench, after: Path) -> None:
    """Write a network as ONNX, with its papers.

    Raises:
        MissingExtra: onnx, onnxscript or onnxruntime is not installed.
        RecipeError: the network has a part that cannot be exported.
    """
    onnx, _ = import_onnx()
    kinds = [change["kind"] for change in stored.config.get("changes", [])]
    if "int8" in kinds:
        raise refused(bench, "the model holds layers of int8", "a network in float32")
    inputs = bench.task.collate(bench.validation, np.arange(min(2, len(bench.validation)))).inputs
    names = list(inputs)
    free = _free_dimensions(bench)
    try:
        with quiet():
            program = torch.onnx.export(
                stored.network.eval(),
                (),
                kwargs=inputs,
                dynamo=True,
                dynamic_shapes=free,
                input_names=names,
                output_names=[ANSWER],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = error.__cause__ or error
        raise refused(
            bench, f"the exporter says: {str(cause).splitlines()[0][:200]}", "a network of other layers"
        ) from None
    if program is None:
        raise AssertionError("the exporter gives a program")
    onnx.save(without_notes(program.model_proto), after / FILE)
    write_json(after / CONFIG, {"format": "onnx", **{name: stored.config[name] for name in ("task", "model")}})
    write_json(after / LEARNT, stored.learnt)


def _free_dimensions(bench: Bench) -> dict[str, dict[int, Any]]:
    """Return which dimensions of each input vary: the first, which counts examples, and those that differ between examples.

    Of a picture that is answered by one, height and width.
    """
    alone = [
        bench.task.collate(bench.validation, np.array([row])).inputs
        for row in range(min(EXAMPLES, len(bench.validation)))
    ]
    every = "pixels" in bench.validation.learnt
    return {
        name: {
            place: torch.export.Dim.AUTO
            for place in range(tensor.dim())
            if place == 0 or (every and place > 1) or len({inputs[name].shape[place] for inputs in alone}) > 1
        }
        for name, tensor in alone[0].items()
    }


def refused(bench: Bench, found: str, expected: str) -> RecipeError:
    """Return the error of a model that no ONNX file can be made of."""
    return RecipeError(
        f"the model cannot become an ONNX file: {found}",
        where=bench.place,
        expected=expected,
        next_step="leave the step out, put it before how: dynamic or weight_only, or choose another model",
    )
