"""What all settings share: their types, reading and writing them."""

from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from drr.errors import InputError

STRICT = ConfigDict(extra="forbid")
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
ViewName = Literal["pa", "lateral"]

T = TypeVar("T")


def parse(kind: type[T], text: str) -> T:
    """Read a settings JSON string as `kind`; InputError with one line naming each bad key."""
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        raise _bad_settings(kind, error) from None


def check(kind: type[T], **values: object) -> T:
    """The same of values that are in Python already, as those of a command line."""
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise _bad_settings(kind, error) from None


def _bad_settings(kind: type, error: ValidationError) -> InputError:
    problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
    return InputError(f"settings of {kind.__name__}: {problems}")


def dump(settings: object) -> str:
    """Settings as JSON with sorted keys, ready to be saved beside a result and read again by `parse`."""
    import json

    return json.dumps(TypeAdapter(type(settings)).dump_python(settings, mode="json"), sort_keys=True, indent=2) + "\n"


def check_version(stage: str, code: int, asked: int) -> None:
    """The rules and the code must agree on a stage's data version, or a rerun would be missed."""
    if code != asked:
        raise InputError(
            f"rules/common.smk says version {asked} of stage {stage}, the code is version {code}: update it"
        )
