"""The pixels of a picture, by OpenCV: eight and sixteen bits, every packing, no tag honoured."""

import os
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError


def decoded(data: bytes) -> NDArray[Any]:
    """The pixels, (row, column) or (row, column, channel), as they are stored; InputError for a damaged file."""
    if "OPENCV_LOG_LEVEL" not in os.environ:  # it tells the terminal what one line of ours says
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise InputError(f"not a readable image ({error.err}): save it as PNG") from None
    if image is None:
        raise InputError("not a readable image: it is cut short, damaged or packed in an unusual way: fetch it again")
    return np.asarray(image)
