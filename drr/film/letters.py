"""Markers of sides and of hospitals, drawn into a picture."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from drr.film.look import Letter

Images = NDArray[np.float32]
_LEAST = 5  # pixels of a letter's height


def with_letters(picture: Images, letters: tuple[Letter, ...], pixel_mm: tuple[float, float]) -> Images:
    """The picture, [0, 1], with the letters in it; what reaches beyond its border is cut off."""
    for letter in letters:
        ink = _ink(letter, pixel_mm)
        rows, columns = picture.shape
        top = round(letter.row * rows - ink.shape[0] / 2)
        left = round(letter.column * columns - ink.shape[1] / 2)
        down = slice(max(top, 0), max(min(top + ink.shape[0], rows), 0))
        across = slice(max(left, 0), max(min(left + ink.shape[1], columns), 0))
        part = ink[down.start - top : down.stop - top, across.start - left : across.stop - left]
        picture = picture.copy()
        picture[down, across] += part * (np.float32(letter.grey) - picture[down, across])
    return picture


def _ink(letter: Letter, pixel_mm: tuple[float, float]) -> Images:
    """How much of each pixel the text covers."""
    font = ImageFont.load_default(max(letter.height_mm / pixel_mm[0], _LEAST))
    left, top, right, bottom = font.getbbox(letter.text)
    canvas = Image.new("L", (max(int(np.ceil(right - left)), 1), max(int(np.ceil(bottom - top)), 1)))
    ImageDraw.Draw(canvas).text((-left, -top), letter.text, fill=255, font=font)
    ink = np.asarray(np.asarray(canvas) / 255, np.float32)
    return ink[:, ::-1] if letter.mirrored else ink
