"""What a settings class is: strict, frozen, with units, and with parts that are chosen by name.

Every section of a recipe is an instance of a subclass of Settings that lives beside the code that reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationError,
)
from pydantic_core import PydanticCustomError, core_schema

from .units import Span, parse_quantity, parse_span

AUTO: Final = "auto"
# The tasks whose examples have a class each: what `serves` says of every part that needs one.
CLASSIFICATION: Final = ("image", "text", "tabular")
Auto = Literal["auto"]
CHOICE_MARK = "x-choice"
# On a field (json_schema_extra): whatever its value, the results are the same bytes.
NO_EFFECT = "x-no-effect"


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, values cannot be changed, types are not guessed."""

    # defer_build: a file of settings holds many classes of which a recipe uses one, and building schemas is slow.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        defer_build=True,
    )


def effective(settings: Settings) -> dict[str, Any]:
    """Return settings as plain data, without the fields that cannot change a result."""
    data = settings.model_dump(mode="json")
    for name, field in type(settings).model_fields.items():
        marks = field.json_schema_extra
        if isinstance(marks, dict) and marks.get(NO_EFFECT):
            del data[name]
        else:
            data[name] = _effective(getattr(settings, name), data[name])
    return data


def _effective(value: Any, dumped: Any) -> Any:
    if isinstance(value, Settings):
        return effective(value)
    if isinstance(value, tuple) and isinstance(dumped, list):
        return [_effective(*pair) for pair in zip(value, dumped, strict=True)]
    return dumped


def _quantity(unit: str) -> Any:
    return BeforeValidator(
        lambda value: _as_value_error(parse_quantity, value, unit), json_schema_input_type=str | float
    )


def _as_value_error(parse: Callable[..., Any], value: Any, *rest: Any) -> Any:
    if not isinstance(value, (str, int, float, Span)):
        raise ValueError(f"found {value!r}, expected a quantity")
    return parse(value, *rest)


Bytes = Annotated[float, _quantity("bytes")]
Seconds = Annotated[float, _quantity("seconds")]
Joules = Annotated[float, _quantity("joules")]
Fraction = Annotated[float, _quantity("fraction")]
Length = Annotated[
    Span,
    BeforeValidator(lambda value: _as_value_error(parse_span, value), json_schema_input_type=str),
    PlainSerializer(str, return_type=str),
]


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Item = TypeVar("Item")
# `Sequence[int]` in a settings class: a YAML list, kept as a tuple so that settings stay frozen.
Sequence = Annotated[tuple[Item, ...], BeforeValidator(_listed)]


class Choice:
    """A part chosen by its registered name: `optimiser: adam`, or `optimiser: {kind: adam, lr: 1e-3}`.

    The settings class of the part is looked up in the registry under `kind`, so other packages' parts are as
    welcome as ours. The validated value is that class's instance; its name is `value.kind`.
    """

    # Set once by core.registry: (kind, name) -> settings class, and kind -> names. Settings must not import the
    # registry, which would close a circle.
    settings_of: Callable[[str, str], type[Settings]]
    names_of: Callable[[str], list[str]]

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate, serialization=core_schema.plain_serializer_function_ser_schema(self.dump)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # Only a mark: core.schema puts a reference to all registered parts in its place.
        return {CHOICE_MARK: self.kind}

    @staticmethod
    def dump(value: Any) -> Any:
        return value.model_dump(mode="json") if isinstance(value, Settings) else value

    def validate(self, value: Any) -> Settings:
        if isinstance(value, Settings):
            return value
        if isinstance(value, str):
            value = {"kind": value}
        if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
            raise PydanticCustomError(
                "choice", "expected the name of a {kind}, or a mapping with the key 'kind'", {"kind": self.kind}
            )
        names = Choice.names_of(self.kind)
        if value["kind"] not in names:
            raise PydanticCustomError(
                "unknown_name",
                "'{name}' is not a {kind}",
                {"name": value["kind"], "kind": self.kind, "known": names, "at": "kind"},
            )
        try:
            return Choice.settings_of(self.kind, value["kind"]).model_validate(value)
        except ValidationError as error:
            # Pydantic would fold these into one text and lose their places; core.recipe unfolds them.
            raise PydanticCustomError("nested", "the settings of a part", {"errors": error.errors()}) from None
