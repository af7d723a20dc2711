"""How an image must be turned to lie as it is looked at: by EXIF's or TIFF's orientation, or by PatientOrientation."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
_NAMES = {
    (False, False, False): "as it is",
    (False, False, True): "mirrored left to right",
    (False, True, False): "mirrored top to bottom",
    (False, True, True): "turned by 180 degrees",
    (True, False, False): "mirrored about its diagonal",
    (True, False, True): "turned by 90 degrees clockwise",
    (True, True, False): "turned by 270 degrees clockwise",
    (True, True, True): "mirrored about its other diagonal",
}


@dataclass(frozen=True)
class Turn:
    """Rows and columns exchanged, then mirrored top to bottom, then left to right."""

    transposed: bool = False
    up_down: bool = False
    left_right: bool = False

    def __bool__(self) -> bool:
        return self.transposed or self.up_down or self.left_right

    def __str__(self) -> str:
        return _NAMES[self.transposed, self.up_down, self.left_right]

    def of(self, pixels: NDArray[T]) -> NDArray[T]:
        """The image, (row, column), turned."""
        pixels = pixels.T if self.transposed else pixels
        return pixels[:: -1 if self.up_down else 1, :: -1 if self.left_right else 1]

    def then(self, other: "Turn") -> "Turn":
        """Both in one: this first. Exchanging rows and columns exchanges the mirrors that came before."""
        up_down, left_right = self.up_down, self.left_right
        if other.transposed:
            up_down, left_right = left_right, up_down
        return Turn(self.transposed != other.transposed, up_down != other.up_down, left_right != other.left_right)

    @property
    def undone(self) -> "Turn":
        """What brings the turned image back."""
        return Turn(False, self.up_down, self.left_right).then(Turn(self.transposed))


AS_IT_IS = Turn()
MIRRORED = Turn(left_right=True)
QUARTERS = (AS_IT_IS, Turn(True, False, True), Turn(False, True, True), Turn(True, True, False))  # clockwise
# By the value of EXIF's and TIFF's Orientation (TIFF 6.0, section 8): what brings the image upright.
BY_ORIENTATION = {
    1: AS_IT_IS,
    2: Turn(left_right=True),
    3: Turn(up_down=True, left_right=True),
    4: Turn(up_down=True),
    5: Turn(transposed=True),
    6: Turn(transposed=True, left_right=True),
    7: Turn(transposed=True, up_down=True, left_right=True),
    8: Turn(transposed=True, up_down=True),
}


def turn_between(found: tuple[str, str], wanted: tuple[str, str]) -> Turn | None:
    """What turns an image whose rows and columns run towards `found` into one of `wanted`; None where nothing does.

    Directions are letters of DICOM's PatientOrientation: L, R, A, P, H, F.
    """
    if _same_axis(found[0], wanted[0]) and _same_axis(found[1], wanted[1]):
        row, column = found
        return Turn(False, column != wanted[1], row != wanted[0])
    if _same_axis(found[1], wanted[0]) and _same_axis(found[0], wanted[1]):
        column, row = found
        return Turn(True, column != wanted[1], row != wanted[0])
    return None


def _same_axis(one: str, other: str) -> bool:
    return one in (other, _OPPOSITE[other])
