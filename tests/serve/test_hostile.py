"""Uploads that nobody should send: each is one clear line, and the server goes on."""

from collections.abc import Callable
import gzip
import struct
import zlib

import cv2
from fastapi.testclient import TestClient
import numpy as np
import pytest

from tests.fabricate import pa

GOOD = bytes(cv2.imencode(".png", (pa() * 65535).astype(np.uint16))[1])
JPEG = bytes(cv2.imencode(".jpg", (pa() * 255).astype(np.uint8))[1])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(columns: int, rows: int, depth: int = 8, colour: int = 0, packed: bytes = b"") -> bytes:
    """A PNG that promises a size, whatever is in it."""
    header = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def mha(size: str, data: bytes, *lines: str) -> bytes:
    words = [
        "ObjectType = Image",
        "NDims = 2",
        f"DimSize = {size}",
        "ElementSpacing = 1 1",
        "BinaryData = True",
        "ElementType = MET_FLOAT",
        *lines,
    ]
    return "\n".join([*words, "ElementDataFile = LOCAL", ""]).encode() + data


def tiff(width: int, height: int) -> bytes:
    """Tags of an image and no pixels."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    tags += [(278, 4, height), (279, 4, width * height % 2**32)]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + body + b"\0\0\0\0"


def dicom(*elements: bytes) -> bytes:
    return b"\0" * 128 + b"DICM" + b"".join(elements)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "the file is empty"),
    "text": (lambda: b"hello", "not an X-ray file"),
    "html": (lambda: b"<html><script>alert(1)</script></html>" * 20, "not an X-ray file"),
    "svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>" * 20, "not an X-ray file"),
    "elf": (lambda: b"\x7fELF" + bytes(400), "not an X-ray file"),
    "zip": (lambda: b"PK\x03\x04" + bytes(400), "not an X-ray file"),
    "gzip bomb": (lambda: gzip.compress(bytes(2**24)), "not an X-ray file"),
    "noise": (lambda: bytes(np.random.default_rng(0).integers(0, 256, 5000, np.uint8)), "not an X-ray file"),
    "png cut short": (lambda: GOOD[: len(GOOD) // 2], "not a readable image"),
    "png of its mark alone": (lambda: GOOD[:8], "not a readable image"),
    "png of 60,000 pixels a side": (lambda: png(60_000, 60_000), "pixels"),
    "png bomb": (lambda: png(8192, 8192, 16, 2, zlib.compress(bytes(2**25), 9)), "more than 256 MiB"),
    "png of one pixel": (lambda: png(1, 1, packed=zlib.compress(b"\0\0")), "1 x 1 pixels"),
    "png of one grey": (
        lambda: bytes(cv2.imencode(".png", np.full((100, 100), 7, np.uint8))[1]), "all pixels have the one value"
    ),
    "png in colour": (
        lambda: bytes(cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8))[1]),
        "a colour picture",
    ),
    "jpeg cut short": (lambda: JPEG[: len(JPEG) // 2], "cut short"),
    "tiff that promises 4 GB": (lambda: tiff(65_000, 65_000), "pixels"),
    "tiff without pixels": (lambda: tiff(512, 512), "cut short"),
    "dicom of its mark alone": (lambda: dicom(), "cut short in its header"),
    "dicom with a length without end": (
        lambda: dicom(struct.pack("<HH2sHI", 8, 5, b"OB", 0, 2**32 - 2)), "cut short in its header"
    ),
    "mha of another file": (
        lambda: mha("200 200", b"").replace(b"LOCAL", b"/etc/passwd"), "a .mha holds its own"
    ),
    "mha that promises 4 GB": (lambda: mha("32000 32000", b"\0" * 64), "pixels"),
    "mha bomb": (
        lambda: mha("200 200", zlib.compress(bytes(2**24)), "CompressedData = True"), "all pixels have the one value"
    ),
}  # fmt: skip
NAMES = [
    "../../../etc/passwd",
    "..\\..\\x.dcm",
    "<script>alert(1)</script>.png",
    "a" * 5000,
    "\u202egnp.exe",
    "a\0b\n.png",
]


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_film_is_one_line(client: TestClient, session: str, kind: str) -> None:
    make, said = HOSTILE[kind]
    refused = client.put(f"{session}/films/pa", content=make())
    assert refused.status_code == 422, refused.text
    line = refused.json()["detail"]
    assert said in line and "\n" not in line and "dx2ct-serve-" not in line and len(line) < 300
    folder = client.server.sessions.all[session.rsplit("/", 1)[-1]].folder  # type: ignore[attr-defined]
    assert list(folder.iterdir()) == [], "nothing of it is kept"


def test_after_all_of_them_the_server_reads_a_film(client: TestClient, session: str) -> None:
    for make, _ in HOSTILE.values():
        client.put(f"{session}/films/pa", content=make())
    assert client.put(f"{session}/films/pa", content=GOOD).status_code == 200


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_is_a_label_and_no_path(client: TestClient, session: str, name: str) -> None:
    told = client.put(f"{session}/films/pa", params={"name": name}, content=GOOD).json()
    assert len(told["label"]) <= 80 and told["label"].isprintable()
    assert not {"/", "\\"} & set(told["label"])
    folder = client.server.sessions.all[session.rsplit("/", 1)[-1]].folder  # type: ignore[attr-defined]
    assert all(path.name.startswith("pa-") for path in folder.iterdir())


def test_more_bytes_than_a_film_has_are_not_taken(
    client: TestClient, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dx2ct.serve.routes.films.FILM_BYTES", 2**20)
    refused = client.put(f"{session}/films/pa", content=bytes(2**20 + 1))
    assert refused.status_code == 413 and refused.json()["detail"] == "more than 1 MiB: no film is so large"


@pytest.mark.parametrize("path", ["films/../../x", "films/nose", "films/%2e%2e%2fpa", "runs/..%2f..%2fct.nii.gz"])
def test_an_address_is_no_path(client: TestClient, session: str, path: str) -> None:
    assert client.put(f"{session}/{path}", content=GOOD).status_code in (404, 405, 422)


def test_files_of_the_page_alone_are_served(client: TestClient) -> None:
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py", "/page//etc/passwd"):
        assert client.get(path).status_code == 404
