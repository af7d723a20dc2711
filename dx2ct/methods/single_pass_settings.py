"""What the settings of every learned rival have."""

from typing import Protocol

from dx2ct.config import SlicesSettings, VolumeSettings, XraySettings
from dx2ct.config.methods import RivalTraining


class RivalRun(Protocol):
    """The row of a rival."""

    @property
    def views(self) -> tuple[str, ...]:
        """The X-rays that it sees."""


class RivalSettings(Protocol):
    """Settings of any rival."""

    @property
    def run(self) -> RivalRun:
        """The row of `runs:`."""

    @property
    def volume(self) -> VolumeSettings:
        """The cube that the X-rays were made of."""

    @property
    def xray(self) -> XraySettings:
        """How they were made."""

    @property
    def slices(self) -> SlicesSettings:
        """The training grid."""

    @property
    def train(self) -> RivalTraining:
        """How it is trained."""
