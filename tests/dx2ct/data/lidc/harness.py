"""Series to serve, their manifest, and one call of `dx2ct download` as a user makes it."""

from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
import hashlib
from io import StringIO
import json
from pathlib import Path
import sys
from typing import Any
import uuid
import zipfile

from dx2ct.cli import main
from tests.drr.series import write_series
from tests.dx2ct.data.lidc.archive import Served

SETTINGS: dict[str, Any] = {"connect_timeout_s": 1, "read_timeout_s": 10, "tries": 3, "backoff_s": 0.01}


@dataclass(frozen=True)
class Outcome:
    """What a call left: its exit code, what it wrote on stderr, and the files in the target's folder."""

    code: int
    stderr: str
    output: Path

    @property
    def error(self) -> str:
        """The last line, which is the error when there was one."""
        return self.stderr.strip().splitlines()[-1] if self.stderr.strip() else ""

    @property
    def files(self) -> list[str]:
        """All files below the target's folder."""
        folder = self.output.parent
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    @property
    def receipt(self) -> dict[str, Any]:
        receipt: dict[str, Any] = json.loads(self.output.with_name(f"{self.output.stem}.receipt.json").read_text())
        return receipt


def synthetic(folder: Path, slices: int = 6, name: str = "a") -> Served:
    """A small series written anew."""
    from tests.drr.series import body

    uid = f"1.2.3.{int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)}"
    files = sorted(write_series(folder / name, body(slices), uid=uid).iterdir())
    return serve(uid, [file.read_bytes() for file in files])


def real(folder: Path, slices: int = 4, name: str = "LIDC-IDRI-0001") -> Served:
    """The first slices of a real series."""
    from io import BytesIO

    from pydicom import dcmread

    with zipfile.ZipFile(folder / f"ct/{name}.zip") as archive:
        contents = [archive.read(entry) for entry in archive.namelist()[:slices]]
    return serve(str(dcmread(BytesIO(contents[0]), stop_before_pixels=True).SeriesInstanceUID), contents)


def serve(uid: str, contents: Sequence[bytes]) -> Served:
    """File names that say nothing about the order, as in the bucket."""
    names = [f"{uuid.uuid5(uuid.NAMESPACE_OID, hashlib.md5(content).hexdigest())}.dcm" for content in contents]
    return Served(uid, str(uuid.uuid5(uuid.NAMESPACE_OID, uid)), dict(zip(names, contents, strict=True)))


def manifest(path: Path, *series: Served, **columns: str) -> Path:
    """The manifest of these series; columns: values that differ from the truth."""
    lines = ["scan\tseries_uid\timages\tbytes\tidc_uuid"]
    for one in series:
        row = {"images": str(len(one.files)), "bytes": str(one.size), "idc_uuid": one.uuid} | columns
        lines.append(f"scan\t{one.uid}\t{row['images']}\t{row['bytes']}\t{row['idc_uuid']}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def source(kind: str, address: str) -> dict[str, str]:
    """An item of download.sources; address: the archive's URL, or a folder."""
    if kind == "local":
        return {"kind": kind, "path": address}
    return {"kind": kind, "url": f"{address}/{'bucket' if kind == 'idc' else 'nbia'}"}


def arguments(
    series: Served, manifest: Path, output: Path, sources: list[dict[str, str]], **settings: Any
) -> list[str]:
    """The command line of the stage."""
    asked = json.dumps(SETTINGS | {"sources": sources} | settings)
    words = ["download", "--series", series.uid, "--manifest", str(manifest), "--settings", asked]
    return [*words, "--output", str(output)]


def call(series: Served, manifest: Path, output: Path, sources: list[dict[str, str]], **settings: Any) -> Outcome:
    """Run the command in this process."""
    before, stderr = sys.argv, StringIO()
    sys.argv = ["dx2ct", *arguments(series, manifest, output, sources, **settings)]
    try:
        with redirect_stderr(stderr):
            main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = before
    return Outcome(code, stderr.getvalue(), output)


def holds(outcome: Outcome, series: Served) -> bool:
    """True when zip and receipt are there, alone, and hold exactly the files of the series."""
    stem = outcome.output.stem
    if outcome.code or outcome.files != [f"{stem}.receipt.json", f"{stem}.zip"]:
        return False
    with zipfile.ZipFile(outcome.output) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    listed = [one["md5"] for one in outcome.receipt["content"]]
    same = sorted(contents) == sorted(series.files.values())
    return same and listed == [hashlib.md5(content).hexdigest() for content in contents]


def holds_nothing(outcome: Outcome, series: Served) -> bool:
    """True when the exit code is 1 and nothing is there but staged files that are files of the series."""
    if outcome.code != 1:
        return False
    staged = {path for path in outcome.output.parent.glob(".*.download/*") if path.suffix == ".dcm"}
    kept = {f".{outcome.output.stem}.download/{name}" for name in ("lock", "series.json")} if staged else set()
    kept |= {str(path.relative_to(outcome.output.parent)) for path in staged}
    return set(outcome.files) == kept and {path.read_bytes() for path in staged} <= set(series.files.values())
