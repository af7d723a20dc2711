"""A series of films, zipped as stage `fetch` leaves it: which image is the PA, which the lateral, and its CT.

A series may hold one image or eight, processed twice, of any view: what is taken and what is not stands in a table.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
import json
from pathlib import Path
import tempfile
from typing import Any
import zipfile

from pydantic.dataclasses import dataclass as parsed

from drr.errors import InputError
from drr.files import replacing
from dx2ct.config import parse
from dx2ct.config.keys import STRICT
from dx2ct.predict.command import NotWrittenError, Outputs, predict
from dx2ct.predict.model import Model
from dx2ct.predict.pictures import DISCLAIMER
from dx2ct.predict.read import read_xray
from dx2ct.predict.told import header_of, view_of
from dx2ct.predict.xray import Xray

MAX_IMAGES, MAX_BYTES = 100, 2**31  # LIDC-IDRI's largest series has eight images of 64 MiB together


@parsed(frozen=True, config=STRICT)
class Image:
    """An image of a series. view: pa, lateral or None: nothing tells. by: who says so. left: why it is not taken."""

    member: str
    view: str | None
    by: str
    left: str | None


@parsed(frozen=True, config=STRICT)
class Films:
    """The images of a series, in its order; of each view one at most is taken."""

    images: tuple[Image, ...]

    @property
    def taken(self) -> dict[str, str]:
        """{view: member}."""
        return {one.view: one.member for one in self.images if one.view and one.left is None}


@dataclass(frozen=True)
class _Found:
    member: str
    view: str | None
    by: str
    fault: str = ""
    xray: Xray | None = None

    @property
    def rank(self) -> tuple[bool, bool]:
        """What is better comes first: a scale, and taken from behind."""
        facts = self.xray.facts if self.xray else {}
        return facts.get("spacing_mm") is None, "AP" in str(facts.get("view") or "").upper().split()


def look(archive: Path) -> Films:
    """The images of a zipped series; InputError for what is no zip of files."""
    with unpacked(archive) as files:
        found = [_looked(path) for path in files]
    best = {
        view: min((one for one in found if one.view == view), key=lambda one: one.rank, default=None)
        for view in ("pa", "lateral")
    }
    return Films(tuple(Image(one.member, one.view, one.by, one.fault or _why_left(one, best)) for one in found))


def _why_left(one: _Found, best: "dict[str, _Found | None]") -> str | None:
    if one.view is None:
        return one.by
    taken = best[one.view]
    return None if taken is one or taken is None else f"{taken.member} is of the same view"


def _looked(path: Path) -> _Found:
    try:
        header, xray = header_of(path), read_xray(path)
    except InputError as error:
        return _Found(path.name, None, "", str(error).replace(str(path), path.name))  # of a folder that will be gone
    told = view_of(header, xray)
    return _Found(path.name, told.view, told.by, xray=xray)


def write_films(archive: Path, output: Path) -> None:
    """The table of a zipped series as JSON."""
    text = json.dumps({"images": [asdict(one) for one in look(archive).images]}, indent=2) + "\n"
    with replacing(output) as part:
        part.write_text(text)


def read_films(path: Path) -> Films:
    """A table that `write_films` wrote; InputError for anything else."""
    try:
        return parse(Films, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"{path}: {error}: run the film_views stage again") from None


def predict_films(model: Model, archive: Path, films: Films, record: Path) -> None:
    """Reconstruct the PA and lateral of a series as `dx2ct predict` does, beside its `record` NAME.run.json.

    A series that this model or `predict` cannot use leaves the reason alone in the record, as `left_out`.
    """
    volume = record.with_name(record.name.removesuffix(".run.json") + ".nii.gz")
    preview = volume.with_name(volume.name.replace(".nii.gz", ".preview.png"))
    taken = {view: member for view, member in films.taken.items() if view in model.views}
    reason = _unusable(model, films, taken)
    if reason is None:
        with unpacked(archive) as files:
            chosen = {view: path for view, member in taken.items() for path in files if path.name == member}
            try:
                predict(model, chosen, {}, Outputs(volume, preview=preview), {})
                return
            except NotWrittenError:  # the same command again may write it
                raise
            except InputError as error:
                reason = str(error)
    for path in (volume, preview):
        path.unlink(missing_ok=True)
    found: dict[str, Any] = {"left_out": reason, "disclaimer": DISCLAIMER}
    with replacing(record) as part:
        part.write_text(json.dumps(found, indent=2) + "\n")


def _unusable(model: Model, films: Films, taken: "dict[str, str]") -> str | None:
    """Why a model cannot take the films of a series; None where it can."""
    missing = [view for view in model.views if view not in taken]
    if not missing or (taken and model.trained.inputs.any_view):
        return None
    whys = "; ".join(f"{one.member}: {one.left}" for one in films.images if one.left)
    return f"no {' and no '.join(missing)} among {len(films.images)} images" + (f" ({whys})" if whys else "")


@contextmanager
def unpacked(archive: Path) -> Iterator[Sequence[Path]]:
    """The files of a zip in a folder that is gone afterwards, by name; no path of a zip is followed."""
    try:
        with zipfile.ZipFile(archive) as packed, tempfile.TemporaryDirectory() as folder:
            members = [one for one in packed.infolist() if not one.is_dir()]
            if len(members) > MAX_IMAGES or sum(one.file_size for one in members) > MAX_BYTES:
                raise InputError(
                    f"{archive}: more than {MAX_IMAGES} files or {MAX_BYTES // 2**20} MiB: no series of films"
                )
            files = [Path(folder) / Path(one.filename).name for one in members]
            for path, member in zip(files, members, strict=True):
                path.write_bytes(packed.read(member))
            yield sorted(files)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(f"{archive}: not a readable zip ({error}): fetch it again") from None
