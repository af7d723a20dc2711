"""What a survey looks at: places where anything may lie, and scans that a table or a data set names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dx2ct.data.cohort.listed import Listed
from dx2ct.data.cohort.places import LeftOut


@dataclass(frozen=True)
class Listing:
    """folder: around all of it. left_out: what is no scan by its list alone. unwanted: the same, and no fault.

    remarks: lines for the user.
    """

    folder: Path
    places: Sequence[Path] = ()
    listed: Sequence[Listed] = ()
    left_out: Sequence[LeftOut] = ()
    unwanted: Sequence[LeftOut] = ()
    remarks: Sequence[str] = ()
