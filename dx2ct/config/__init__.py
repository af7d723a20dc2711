"""Typed settings of every stage: one frozen dataclass per section of config.yaml, no defaults anywhere.

The rules turn config sections into one JSON string with sorted keys; `parse` turns it into these values and refuses
unknown keys, missing keys and wrong types, so a stage cannot read a key that its rule does not track.
"""

from dx2ct.config.base import (
    check,
    check_version,
    dump,
    Fraction,
    NotNegative,
    parse,
    PositiveFloat,
    PositiveInt,
    Seed,
    ViewName,
)
from dx2ct.config.data import (
    DownloadSettings,
    FilterSettings,
    LocalSource,
    PhantomSettings,
    RemoteSource,
    SelectionSettings,
    SlicesSettings,
    VolumeSettings,
    XraySettings,
)
from dx2ct.config.network import (
    DiffusionSettings,
    EncoderSettings,
    ModelSettings,
    PositionSettings,
    TransformerSettings,
    UNetSettings,
)
from dx2ct.config.results import ConsistencySettings, OFF, ReconstructSettings, ScoreSettings
from dx2ct.config.training import (
    Dx2ctRun,
    Dx2ctSettings,
    EngineSettings,
    MeanRun,
    MeanSettings,
    OptimizerSettings,
    PLAIN_ENGINE,
    ValidationSettings,
)

__all__ = [
    "OFF",
    "PLAIN_ENGINE",
    "ConsistencySettings",
    "DiffusionSettings",
    "DownloadSettings",
    "Dx2ctRun",
    "Dx2ctSettings",
    "EncoderSettings",
    "EngineSettings",
    "FilterSettings",
    "Fraction",
    "LocalSource",
    "MeanRun",
    "MeanSettings",
    "ModelSettings",
    "NotNegative",
    "OptimizerSettings",
    "PhantomSettings",
    "PositionSettings",
    "PositiveFloat",
    "PositiveInt",
    "ReconstructSettings",
    "RemoteSource",
    "ScoreSettings",
    "Seed",
    "SelectionSettings",
    "SlicesSettings",
    "TransformerSettings",
    "UNetSettings",
    "ValidationSettings",
    "ViewName",
    "VolumeSettings",
    "XraySettings",
    "check",
    "check_version",
    "dump",
    "parse",
]
