"""What every key of the configuration is made of: its type, default, unit, description and source, said once.

A section is a frozen dataclass. Missing keys take their defaults, unknown ones are refused, and so are numbers of the
wrong kind: 800.0 is no integer.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticKnownError

from drr.errors import InputError

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
PositiveInt = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
SplitName = Annotated[str, Field(pattern="^[a-z0-9_]+$")]  # of a column split_NAME of the sheet
ViewName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
_NONE = object()


def _integer(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticKnownError("int_type")
    return value


Whole = BeforeValidator(_integer)  # for a Literal of integers, which would take true and 1.0 for 1


def key(default: Any, description: str, *, unit: str = "", source: str = "", earlier: Any = _NONE) -> Any:
    """A key with its default, or with a factory of it where the default is a section.

    source: where the default is from. earlier: what a run means whose settings were written before the key existed;
    a key without it is as old as the format.
    """
    extra: dict[str, Any] = {"unit": unit, "source": source}
    if earlier is not _NONE:
        extra["earlier"] = earlier
    given = {"default_factory": default} if callable(default) else {"default": default}
    return Field(**given, description=description, json_schema_extra=extra)


def needed(description: str, *, unit: str = "") -> Any:
    """A key without a default: a file must say it."""
    extra: dict[str, Any] = {"unit": unit}
    return Field(description=description, json_schema_extra=extra)


def again(section: type, name: str, default: Any, source: str = "") -> Any:
    """The same key of another section with a default of its own, from another source."""
    info = fields_of(section)[name]
    extra = extra_of(info)
    kept = {"earlier": extra["earlier"]} if "earlier" in extra else {}
    return key(default, info.description or "", unit=extra.get("unit", ""), source=source, **kept)


def stage_version(number: int, *, earlier: int | None = None) -> Any:
    """The version of a stage's code. It is no key of a file: whoever changes what the stage computes raises it.

    earlier: of settings that were written before they had it; None: they have always had it.
    """
    extra: dict[str, Any] = {"internal": True}
    if earlier is not None:
        extra["earlier"] = earlier
    return Field(default=number, description="Version of the stage's code", json_schema_extra=extra)


def fields_of(section: type) -> dict[str, FieldInfo]:
    """The keys of a section's type."""
    found: dict[str, FieldInfo] = section.__pydantic_fields__  # type: ignore[attr-defined]
    return found


def extra_of(info: FieldInfo) -> dict[str, Any]:
    """What `key` keeps beside pydantic's own: unit, source, earlier."""
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


class BadKeyError(ValueError):
    """A broken rule between keys; `key` is the path of what to change, from the section that knows the rule."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key, self.problem = key, problem


def require_version(settings: Any) -> None:
    """InputError where a stage's settings are of another version than the code: its numbers would be others."""
    code = fields_of(type(settings))["version"].default
    if settings.version != code:
        stage = type(settings).__name__.removesuffix("Settings").lower()
        raise InputError(f"settings of stage {stage} are of version {settings.version}, the code is of {code}: update")
