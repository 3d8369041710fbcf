"""What a recipe may say of rows that should not be learnt from, and of texts that should be tidied. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.core.settings import CLASSIFICATION, Fraction, Sequence, Settings

Columns = Annotated[
    Sequence[str], Field(description="columns of numbers that are looked at; none: every column of numbers")
]
Then = Annotated[
    Literal["drop", "report"],
    Field(description="drop: the row is left out; report: it stays, and the ledger says what was found"),
]
Parts = Annotated[
    Literal["train", "all"],
    Field(description="where rows are judged; bounds are learnt on the training part either way"),
]


class ZScore(Settings):
    """Numbers too many standard deviations from the mean, on either side."""

    serves: ClassVar[tuple[str, ...]] = ("tabular",)
    kind: Literal["z_score"] = "z_score"
    columns: Columns = ()
    threshold: float = Field(4.0, gt=0, description="standard deviations")
    then: Then = "drop"
    parts: Parts = "train"


class RobustZScore(Settings):
    """Numbers too many scaled median absolute deviations from the median, on either side."""

    serves: ClassVar[tuple[str, ...]] = ("tabular",)
    kind: Literal["robust_z_score"] = "robust_z_score"
    columns: Columns = ()
    threshold: float = Field(6.0, gt=0, description="standard deviations, as the median absolute deviation tells them")
    then: Then = "drop"
    parts: Parts = "train"


class Iqr(Settings):
    """Numbers too far outside the middle half of a column."""

    serves: ClassVar[tuple[str, ...]] = ("tabular",)
    kind: Literal["iqr"] = "iqr"
    columns: Columns = ()
    factor: float = Field(3.0, gt=0, description="widths of the middle half beyond its ends; 1.5 is the box plot's")
    then: Then = "drop"
    parts: Parts = "train"


class IsolationForest(Settings):
    """Rows that few random cuts suffice to isolate, all columns of numbers taken together."""

    serves: ClassVar[tuple[str, ...]] = ("tabular",)
    kind: Literal["isolation_forest"] = "isolation_forest"
    columns: Columns = ()
    share: Fraction = Field(0.01, gt=0, le=0.5, description="share of the training part that counts as outlying")
    trees: int = Field(100, ge=1, description="trees of the forest")
    then: Then = "drop"
    parts: Parts = "train"


class Limits(Settings):
    """What the values of one column may be."""

    type: Literal["any", "number", "date", "text"] = Field("any", description="what every value must be")
    least: float | None = Field(None, description="smallest possible number; left out: no bound")
    most: float | None = Field(None, description="largest possible number; left out: no bound")
    one_of: Sequence[str] = Field((), description="the only possible values; none: any")
    pattern: str = Field("", description="regular expression that the whole of each text must match; empty: any")
    missing: bool = Field(True, description="whether values may be missing")


class Schema(Settings):
    """Values that cannot be: not of the declared type, range or set. Needs pandera."""

    serves: ClassVar[tuple[str, ...]] = ("tabular",)
    kind: Literal["schema"] = "schema"
    columns: dict[str, Limits] = Field(description="what each column may hold, by name")
    then: Then = "drop"
    parts: Parts = "all"


class Duplicates(Settings):
    """The same, or nearly the same, content twice: in one part the first stays; of two parts the more careful one keeps it."""

    serves: ClassVar[tuple[str, ...]] = ("image", "text", "tabular")
    kind: Literal["duplicates"] = "duplicates"
    similarity: Fraction = Field(
        1.0,
        gt=0,
        le=1,
        description="1: the same content; less: texts by the share of common five-letter pieces (needs rensa), pictures by "
        "the share of equal bits of their perceptual hash; tables know only 1",
    )
    then: Then = "drop"


class TextQuality(Settings):
    """Texts that are too short, too long, mostly no words, or say the same over and over."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    kind: Literal["text_quality"] = "text_quality"
    shortest: int = Field(1, ge=0, description="fewest letters and digits")
    longest: int = Field(0, ge=0, description="most characters; 0: any number")
    letters: Fraction = Field(0.3, ge=0, le=1, description="least share of letters and digits among what is not blank")
    repeated: Fraction = Field(
        0.5, gt=0, le=1, description="largest share of a long text that its most frequent ten-letter piece may cover"
    )
    then: Then = "drop"
    parts: Parts = "train"


class Scripts(Settings):
    """Texts mostly written in another script than those named."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    kind: Literal["scripts"] = "scripts"
    keep: Sequence[str] = Field(
        min_length=1, description="scripts such as latin, han, cyrillic, arabic, hiragana, hangul"
    )
    share: Fraction = Field(0.5, gt=0, le=1, description="least share of the letters that must be of these scripts")
    then: Then = "drop"
    parts: Parts = "train"


class LabelErrors(Settings):
    """Training rows whose label is hardly possible to models that did not see them: the recipe's, trained once a fold. Needs cleanlab."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["label_errors"] = "label_errors"
    folds: int = Field(5, ge=2, description="models, each judging the rows that it was not trained on")
    share: Fraction = Field(
        0.0,
        ge=0,
        le=0.5,
        description="share of the training part that is found; 0: as many as confident learning counts",
    )
    then: Then = "report"


Personal = Literal["email", "phone", "id_number", "bank_card", "address", "url"]


class CleanText(Settings):
    """How each text is tidied, in training as in serving; nothing is, until it is asked for."""

    unicode: Literal["keep", "NFC", "NFKC"] = Field(
        "keep",
        description="NFC joins accents to their letters, NFKC makes full-width and other compatible forms plain; neither turns "
        "traditional characters into simplified ones",
    )
    html: bool = Field(
        False, description="take tags out and turn entities such as &lt; and #39; into what they stand for"
    )
    controls: bool = Field(
        False, description="take out control and invisible characters; line ends and tabs become blanks"
    )
    spaces: bool = Field(False, description="make one blank of each run of blanks, none at the ends")
    redact: Sequence[Personal] = Field(
        (), description="personal data that is replaced by its kind in square brackets, such as [email]"
    )
