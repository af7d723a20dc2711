"""Read damaged DICOM files in a process of its own: python -m tests.drr.fuzz --count 20000 --seed 1

Every file must end in a volume or in one InputError, within 2 s and 500 MB; anything else ends this process with a code
that is not 0, a crash of a decoder included. Prints one JSON line.
"""

import argparse
from collections import Counter
from collections.abc import Callable
import contextlib
from io import BytesIO
import json
import os
from pathlib import Path
import resource
import sys
import tempfile
import time
import zipfile

import numpy as np
from numpy.typing import NDArray

from drr.ct.dicom_header import read_header
from drr.ct.dicom_image import BadCt, CtFrames, CtSlice
from drr.ct.dicom_pixels import hounsfield_of
from drr.ct.read import read_ct
from drr.ct.sources import Member
from drr.errors import InputError
from tests.drr.fuzz_files import files, MUTATIONS
from tests.drr.series import body, write_series

MAX_SECONDS, MAX_MB = 2.0, 500
_LIMIT_BYTES = 4 * 2**30  # of addresses: nothing may take the machine down
_WHOLE_SERIES = 20  # every so many cases go through folder, stack and volume


def damaged(base: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """The bytes after one or two mutations, and their names."""
    data, names = bytearray(base), []
    for k in rng.permutation(len(MUTATIONS))[: rng.integers(1, 3)]:
        if len(data) < 400:
            break
        MUTATIONS[k](data, rng)
        names.append(MUTATIONS[k].__name__)
    return bytes(data), " + ".join(names)


def read_one(data: bytes) -> str:
    """What the readers make of one file by itself."""
    header = read_header(Member("0000.dcm", len(data), lambda: BytesIO(data)))
    if isinstance(header, BadCt):
        raise InputError(header.reason)
    if not isinstance(header, CtSlice | CtFrames):
        return "no CT"
    slices: list[CtSlice] = [header] if isinstance(header, CtSlice) else list(header.slices)
    for _, hu in hounsfield_of(slices):
        assert hu.dtype == np.int16 and hu.min() >= -1024
    return "image"


def read_in_series(data: bytes, folder: Path, zipped: bool) -> str:
    """What the whole reader makes of it among nine honest slices."""
    (folder / "0001.dcm").write_bytes(data)
    source = folder
    if zipped:
        source = folder.parent / "ct.zip"
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.iterdir():
                archive.write(file, file.name)
    array: NDArray[np.int16] = read_ct(source).array
    return f"volume of {array.ndim} axes"


def outcome(read: Callable[[], str]) -> str:
    """`refused`, or what was read; any other exception ends everything."""
    try:
        return read()
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000, str(error)
        return "refused"


def main(count: int, seed: int) -> None:
    """Run `count` cases; see the module."""
    resource.setrlimit(resource.RLIMIT_AS, (_LIMIT_BYTES, _LIMIT_BYTES))
    rng = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    slowest = (0.0, "")
    with tempfile.TemporaryDirectory() as name, open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        bases = list(files(Path(name)).items())
        folder = write_series(Path(name) / "series", body(10, 16, 16), uid="1.2.3")
        for case in range(count):
            kind, base = bases[case % len(bases)]
            data, mutations = damaged(base, rng)
            print(f"case {case}: {kind}, {mutations}", file=sys.__stdout__ if "-v" in sys.argv else nowhere)
            start = time.process_time()
            if case % _WHOLE_SERIES:
                found[outcome(lambda data=data: read_one(data))] += 1  # type: ignore[misc]
            else:
                zipped = bool(case % (2 * _WHOLE_SERIES))
                found[outcome(lambda data=data, z=zipped: read_in_series(data, folder, z))] += 1  # type: ignore[misc]
            slowest = max(slowest, (time.process_time() - start, f"case {case}: {kind}, {mutations}"))
    peak = peak_mb()
    print(json.dumps({"cases": count, "seed": seed, **found, "slowest": slowest, "peak_mb": round(peak)}))
    if slowest[0] > MAX_SECONDS or peak > MAX_MB:
        raise SystemExit(1)


def peak_mb() -> float:
    """Of this process alone, in MB: getrusage would count the memory of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def run(main: Callable[[int, int], None], description: str) -> None:
    """`main` with the number of cases and the seed of the command line."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", action="store_true", help="print every case before it is read")
    arguments = parser.parse_args()
    main(arguments.count, arguments.seed)


if __name__ == "__main__":
    run(main, __doc__)
