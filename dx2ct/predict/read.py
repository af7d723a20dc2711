"""One X-ray of any file: a picture, a DICOM CR or DX image, or line integrals of the xray stage."""

from dataclasses import replace
from pathlib import Path

from drr.ct.sources import kind_of
from drr.errors import InputError
from dx2ct.predict.image_file import read_picture
from dx2ct.predict.integrals import read_integrals
from dx2ct.predict.radiograph import read_radiograph
from dx2ct.predict.xray import printable, Xray

MAX_FILE_BYTES = 2**28


def read_xray(path: str | Path) -> Xray:
    """Read .png, .jpg, .tif, .mha (line integrals) or, of any other name, a DICOM CR or DX image.

    Raises InputError, naming the file, for what is no single grey X-ray of a sane size.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if path.is_dir() or size > MAX_FILE_BYTES:
            raise InputError("a folder is no X-ray: name one file" if path.is_dir() else f"{size} bytes are too many")
        kind = kind_of(path)
        if kind == "picture":
            xray = read_picture(path)
        elif path.name.lower().endswith(".mha"):
            xray = read_integrals(path)
        elif kind == "dicom":
            xray = read_radiograph(path)
        else:
            raise InputError("not an X-ray file: PNG, JPEG, TIFF, DICOM (CR, DX) and .mha line integrals are read")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except InputError as error:
        raise InputError(f"{path}: {printable(str(error))}") from None
    return replace(xray, notes=tuple(map(printable, xray.notes)))
