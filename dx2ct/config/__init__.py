"""Typed sections of the configuration. Every key, its default, unit, description and source stand once, here.

The types of a method's own sections lie with the method. dx2ct/planning reads files and resolves them.
"""

from dx2ct.config.data import (
    CohortSettings,
    DownloadSettings,
    FilterSettings,
    HeaderSettings,
    LocalSource,
    PhantomSettings,
    RemoteSource,
    Rotation,
    SelectionSettings,
    SlicesSettings,
    VolumeSettings,
    XraySettings,
)
from dx2ct.config.parse import check, checked, parse, plain, to_json, tracked
from dx2ct.config.results import ConsistencySettings, SamplingOptions, ScoreSettings
from dx2ct.config.runs import DerivedRow, LearnedSettings, Row, RunSettings, XrayRow, XrayRunSettings
from dx2ct.config.training import EngineSettings, ScanValidation, TrainSettings, ValidationSettings

__all__ = [
    "CohortSettings",
    "ConsistencySettings",
    "DerivedRow",
    "DownloadSettings",
    "EngineSettings",
    "FilterSettings",
    "HeaderSettings",
    "LearnedSettings",
    "LocalSource",
    "PhantomSettings",
    "RemoteSource",
    "Rotation",
    "Row",
    "RunSettings",
    "SamplingOptions",
    "ScanValidation",
    "ScoreSettings",
    "SelectionSettings",
    "SlicesSettings",
    "TrainSettings",
    "ValidationSettings",
    "VolumeSettings",
    "XrayRow",
    "XrayRunSettings",
    "XraySettings",
    "check",
    "checked",
    "parse",
    "plain",
    "to_json",
    "tracked",
]
