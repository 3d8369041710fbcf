"""Small data sets that come with scikit-learn: for a first run without any download."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from modelwright.core.settings import Settings

from .files import digest, read_bytes
from .rows import Numbered, Rows

FILES = {"digits": "digits.csv.gz", "breast_cancer": "breast_cancer.csv", "wine": "wine_data.csv", "iris": "iris.csv"}
# The tables of scikit-learn begin with one line of counts and class names; digits has none.
FIRST_LINE = {"digits": 1, "breast_cancer": 2, "wine": 2, "iris": 2}


class SampleSettings(Settings):
    """A small data set inside scikit-learn."""

    kind: Literal["sample"] = "sample"
    name: Literal["digits", "breast_cancer", "wine", "iris"] = Field(
        description="digits: 1,797 grey images of 8 x 8; breast_cancer, wine, iris: tables of 569, 178 and 150 rows."
    )


def read(settings: SampleSettings, base: Path) -> Rows:
    """Return the rows of the named data set; digits are scaled from 0..16 to 0..255."""
    import sklearn.datasets

    file = FILES[settings.name]
    bunch = getattr(sklearn.datasets, f"load_{settings.name}")()
    path = Path(sklearn.datasets.__file__).parent / "data" / file
    return Rows(
        columns=_images(bunch) if settings.name == "digits" else _table(bunch),
        origins=Numbered(file, FIRST_LINE[settings.name], len(bunch.target)),
        quarantined=(),
        files={file: digest(read_bytes(path))},
    )


def _images(bunch: Any) -> dict[str, Any]:
    import numpy

    scaled = numpy.rint(bunch.images * (255 / 16)).astype(numpy.uint8)
    return {"image": scaled[..., None], "label": bunch.target.tolist()}


def _table(bunch: Any) -> dict[str, Any]:
    columns: dict[str, Any] = {str(name): bunch.data[:, at].tolist() for at, name in enumerate(bunch.feature_names)}
    names = [str(name) for name in bunch.target_names]
    columns["label"] = [names[target] for target in bunch.target]
    return columns
