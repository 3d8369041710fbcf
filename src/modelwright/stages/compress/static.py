"""Static quantisation: an ONNX file that computes in int8, with scales learnt on training examples."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import DamagedArtifact, MissingExtra
from ...core.files import read_json
from ...engine.network_folder import read_network
from ...engine.onnx_network import FILE, first_line, import_onnx, load_onnx, runtime_errors
from ...engine.predictor import CONFIG, LEARNT, Predictor, answer_in_batches, open_predictor
from ...methods.compression.settings import Quantise
from .bench import PARITY, Bench, differences, quiet
from .export import export_network, refused
from .graph import relu_before_pooling

CALIBRATION_BATCH = 32
# The share of examples on which rounding may fall to the other side.
MOST_ROUNDED = 0.05


def quantise_statically(settings: Quantise, bench: Bench, before: Path, after: Path) -> dict[str, Any]:
    """Write the quantised file, from the ONNX file of the model before or, if it has none, from one made now.

    Raises:
        MissingExtra: onnxruntime is not installed.
        RecipeError: the model cannot be exported, or not quantised.
        DamagedArtifact: the file, as it is served, does not compute what it says node by node.
    """
    try:
        with tempfile.TemporaryDirectory(dir=after.parent) as name:
            examples = _write(settings, bench, before, after, Path(name))
        return {"calibration": examples, **_require_parity(bench, after)}
    except runtime_errors() as error:
        raise refused(bench, f"it cannot be run: {first_line(error)}", "a model without recurrent layers") from None


def _write(settings: Quantise, bench: Bench, before: Path, after: Path, place: Path) -> int:
    """Write the quantised file and its papers; return how many examples its scales were learnt from."""
    if read_json(before / CONFIG)["format"] == "onnx":
        for file in (FILE, CONFIG, LEARNT):
            shutil.copy(before / file, place / file)
    else:
        export_network(read_network(before), bench, place)
    inputs, _ = load_onnx(place / FILE)
    examples = _quantise(place, _calibration(bench, settings.calibration, inputs.names))
    shutil.move(place / "quantised.onnx", after / FILE)
    for file in (CONFIG, LEARNT):
        shutil.copy(place / file, after / file)
    return examples


def _require_parity(bench: Bench, after: Path) -> dict[str, float]:
    """Compare the file as it is served with the file as it is written, node by node, nothing fused.

    Where two kernels round a number between two integers to one each, probabilities differ by more than the order of additions
    explains; that may happen to few examples, never to many.

    Raises:
        DamagedArtifact: the file, as it is served, does not compute what it says.
    """
    served = open_predictor(after)
    network, count = load_onnx(after / FILE, plain=True)
    plain = Predictor(bench.task, served.learnt, lambda some: answer_in_batches(network, bench.task, some), count)
    found = differences(bench, served, plain)
    rounded = float((found > PARITY).mean())
    if rounded > MOST_ROUNDED:
        raise DamagedArtifact(
            f"the quantised file computes something else than it says on {rounded:.1%} of {len(found)} examples",
            where=bench.place,
            expected=f"at most {MOST_ROUNDED:.0%} of the examples beyond {PARITY:g}; the model was refused",
            next_step="leave this step out, or choose another way",
        )
    return {
        "parity": float(np.quantile(found, 1 - MOST_ROUNDED)),
        "rounded_otherwise": rounded,
        "largest": float(found.max()),
    }


def _quantise(place: Path, batches: list[dict[str, np.ndarray]]) -> int:
    """Quantise the file in a folder; return how many examples its scales were learnt from."""
    try:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtra(
            f"quantise: static needs the package {error.name}",
            where="compress.steps",
            expected="onnxruntime",
            next_step="pip install 'modelwright[compress]'",
        ) from None

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """State: the batches that were not yet read."""

        def __init__(self) -> None:
            self.left: Iterator[dict[str, np.ndarray]] = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    with quiet():
        onnx, _ = import_onnx()
        onnx.save(relu_before_pooling(onnx.load(place / FILE)), place / "ordered.onnx")
        quant_pre_process(place / "ordered.onnx", place / "prepared.onnx", skip_symbolic_shape=True)
        quantize_static(
            place / "prepared.onnx",
            place / "quantised.onnx",
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    return sum(len(next(iter(batch.values()))) for batch in batches)


def _calibration(bench: Bench, count: int, names: list[str]) -> list[dict[str, np.ndarray]]:
    """Return inputs of training examples, spread over the part."""
    rows = np.unique(np.linspace(0, len(bench.training) - 1, count).astype(np.int64))
    batches = [rows[start : start + CALIBRATION_BATCH] for start in range(0, len(rows), CALIBRATION_BATCH)]
    return [
        {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in inputs.items() if name in names}
        for inputs in (bench.task.collate(bench.training, some).inputs for some in batches)
    ]
