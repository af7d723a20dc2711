"""Read damaged volume files in a process of its own: python -m tests.drr.fuzz_volumes --count 20000 --seed 1

Every file must end in a volume or in one InputError, within 5 s and 1 GB; anything else ends this process with a code
that is not 0, a crash of native code included. Prints one JSON line.
"""

from collections import Counter
from collections.abc import Callable
import contextlib
import gzip
from itertools import chain
import json
import os
from pathlib import Path
import resource
import struct
import sys
import tempfile
import time
import zlib

import numpy as np

from drr.ct.read import read_chest
from drr.volume import read_volume
from tests.drr.fuzz import outcome, peak_mb, run
from tests.drr.headers import body, metaimage, nifti, nrrd, packed_metaimage, packed_nrrd

MAX_SECONDS, MAX_MB = 5.0, 1000
_LIMIT_BYTES = 8 * 2**30  # of addresses: nothing may take the machine down
_GZIP = 31  # zlib.h's window bits for a gzip stream
_NUMBERS = (
    "-3",
    "0",
    "1",
    "3",
    "1e9",
    "1000000000",
    "9" * 30,
    "nan",
    "inf",
    "-inf",
    "1e-300",
    "1e300",
    "",
    "x",
    "65536",
)
_WORDS = (
    "LOCAL",
    "LIST",
    "/etc/passwd",
    "../a",
    "a.raw",
    "True",
    "False",
    "gzip",
    "raw",
    "bzip2",
    "MET_DOUBLE",
    "double",
)
_FIELDS = {  # of nifti1.h: offset and type
    "dim": (40, "8h"), "datatype": (70, "h"), "bitpix": (72, "h"), "pixdim": (76, "8f"), "vox_offset": (108, "f"),
    "scl": (112, "2f"), "codes": (252, "2h"), "quaternion": (256, "6f"), "sform": (280, "12f"), "units": (123, "b"),
}  # fmt: skip
_SPECIAL = {
    "h": (-32768, -1, 0, 1, 2, 7, 8, 16, 64, 128, 512, 32767),
    "b": (-128, 0, 1, 2, 3, 7, 127),
    "f": (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-30, 1e30, 3e38, 0.5, 352.0),
}


def text_header(content: bytes, rng: np.random.Generator) -> bytes:
    """A field of a MetaImage or NRRD header changed, doubled, moved, left out or broken."""
    head, blank, voxels = content.partition(b"LOCAL\n" if content.startswith(b"Obj") else b"\n\n")
    lines = head.split(b"\n")
    at = int(rng.integers(len(lines)))
    key, sign, value = lines[at].partition(b"=" if b"=" in lines[at] else b":")
    words = value.split()
    kind = int(rng.integers(7))
    if kind == 0 and words:
        words[rng.integers(len(words))] = str(rng.choice(_NUMBERS)).encode()
        lines[at] = key + sign + b" " + b" ".join(words)
    elif kind == 1:
        lines[at] = key + sign + b" " + str(rng.choice(_WORDS)).encode()
    elif kind == 2:
        lines.insert(int(rng.integers(len(lines))), lines[at])
    elif kind == 3:
        del lines[at]
    elif kind == 4:
        lines[at] = bytes(rng.integers(0, 256, int(rng.integers(1, 600)), np.uint8))
    elif kind == 5:
        lines[at] = key.swapcase() + bytes(rng.choice([b":", b":=", b"=", b"\r", b"\0"])) + value
    else:
        lines[at] = lines[at] * int(rng.integers(2, 3000))
    return b"\n".join(lines) + blank + voxels


def binary_header(content: bytes, rng: np.random.Generator) -> bytes:
    """A field of a NIfTI-1 header set to a value at the edge of its type."""
    data = bytearray(content)
    at, code = _FIELDS[str(rng.choice(list(_FIELDS)))]
    values = list(struct.unpack_from("<" + code, data, at))
    values[rng.integers(len(values))] = rng.choice(_SPECIAL[code[-1]])
    struct.pack_into("<" + code, data, at, *(value.item() if hasattr(value, "item") else value for value in values))
    return bytes(data)


def anywhere(content: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped, bytes cut off, put in or doubled."""
    data = bytearray(content)
    at, length = int(rng.integers(max(len(data), 1))), int(rng.integers(1, 64))
    kind = int(rng.integers(4))
    if kind == 0 and data:
        for where in rng.integers(0, len(data), length):
            data[where] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data[at:at] = rng.integers(0, 256, length, np.uint8).tobytes()
    else:
        data[at:at] = data[at : at + length]
    return bytes(data)


def _zeros(megabytes: int, head: bytes = b"", window: int = zlib.MAX_WBITS) -> bytes:
    """The packed form of many zeros behind a head, made in little memory."""
    packing = zlib.compressobj(wbits=window)
    return b"".join(
        [packing.compress(head), *(packing.compress(bytes(2**20)) for _ in range(megabytes)), packing.flush()]
    )


def bombs() -> dict[str, bytes]:
    """Small files that unpack to as much as their headers promise."""
    sides = {"DimSize": "512 512 2000", "ElementType": "MET_DOUBLE"}
    large = {"sizes": "1024 1024 1000", "type": "double"}
    longer = nifti()
    return {
        "promise.mha": packed_metaimage(sides, _zeros(128)),
        "promise.nrrd": packed_nrrd(large, _zeros(128, window=_GZIP)),
        "promise.nii.gz": _zeros(128, longer[:42] + struct.pack("<3h", 1024, 1024, 1000) + longer[48:], _GZIP),
        "surplus.nii.gz": _zeros(128, longer, _GZIP),
        "surplus.mha": packed_metaimage(data=_zeros(128, body().tobytes())),
        "skip.nrrd": packed_nrrd({"byte skip": 10**9 - 1}, _zeros(128, window=_GZIP)),
        "raw.mha": metaimage(sides),
        "limit.mha": packed_metaimage({"DimSize": "512 512 1024"}, _zeros(512)),
    }


Mutation = Callable[[bytes, np.random.Generator], bytes]
BASES: dict[str, tuple[bytes, Mutation]] = {
    "a.nii": (nifti(), binary_header),
    "a.mha": (metaimage(), text_header),
    "b.mha": (packed_metaimage(), text_header),
    "a.nrrd": (nrrd(), text_header),
    "b.nrrd": (packed_nrrd(), text_header),
    "a.mhd": (metaimage({"ElementDataFile": "a.raw"}, b""), text_header),
    "a.nhdr": (nrrd({"data file": "a.raw"}, b""), text_header),
}


def damaged(case: int, rng: np.random.Generator) -> tuple[str, bytes]:
    """A name and its content after one to three mutations."""
    name, (content, own) = list(BASES.items())[case % len(BASES)]
    for _ in range(int(rng.integers(1, 4))):
        mutation = own if rng.random() < 0.8 and len(content) > 400 else anywhere
        content = mutation(content, rng)
    if name == "a.nii" and rng.random() < 0.3:
        name, content = "a.nii.gz", gzip.compress(content, 1)
        content = anywhere(content, rng) if rng.random() < 0.3 else content
    return name, content


def main(count: int, seed: int) -> None:
    """Run `count` cases and the bombs; see the module."""
    resource.setrlimit(resource.RLIMIT_AS, (_LIMIT_BYTES, _LIMIT_BYTES))
    rng = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    slowest, largest = (0.0, ""), (0, "")
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        (Path(folder) / "a.raw").write_bytes(body().tobytes())
        unpacked = ((f"case {case}", *damaged(case, rng)) for case in range(count))
        for label, name, content in chain((("bomb", *bomb) for bomb in bombs().items()), unpacked):
            print(label, name, file=sys.__stdout__ if "-v" in sys.argv else nowhere)
            path = Path(folder) / name
            path.write_bytes(content)
            Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
            start = time.process_time()
            found[outcome(lambda path=path: f"{read_chest(path).array.ndim} axes")] += 1  # type: ignore[misc]
            if label != "bomb":
                outcome(lambda path=path: f"{read_volume(path).array.ndim} axes")  # type: ignore[misc]
            slowest = max(slowest, (time.process_time() - start, f"{label}: {name}"))
            largest = max(largest, (round(peak_mb()), f"{label}: {name}"))
            if path.name != "a.raw":
                path.unlink()
    print(json.dumps({"cases": found.total(), "seed": seed, **found, "slowest": slowest, "largest_mb": largest}))
    if slowest[0] > MAX_SECONDS or largest[0] > MAX_MB:
        raise SystemExit(1)


if __name__ == "__main__":
    run(main, __doc__)
