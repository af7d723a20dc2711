"""dx2ct predict: files in, files out, all of them or none."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
import os
from pathlib import Path
from typing import Any

from drr.border import last_line
from drr.ct.sources import note
from drr.errors import InputError
from drr.files import replacing
from drr.volume import require_written, WRITTEN
from dx2ct.predict.answer import answer, notes_of
from dx2ct.predict.dicom_series import write_series
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import Model
from dx2ct.predict.pictures import DISCLAIMER, write_preview, write_sheet
from dx2ct.predict.sampling import sampling

_NAME_BYTES, _UNTIL_WHOLE = 255, 48  # of file systems; what names have more until all is written (drr.files), twice

Writers = dict[Path, Callable[[Path], object]]


class NotWrittenError(InputError):
    """The disk's fault and no film's."""


@dataclass(frozen=True)
class Outputs:
    """Where results go; None is not written. `volume` brings its record, NAME.run.json, with it."""

    volume: Path | None
    dicom: Path | None = None
    png: Path | None = None
    preview: Path | None = None

    @property
    def record(self) -> Path | None:
        """Beside the volume, by its name: several volumes may lie in one folder."""
        return self.volume and self.volume.parent / f"{_parts(self.volume)[0]}.run.json"

    @property
    def deviation(self) -> Path | None:
        """Where the deviation of several samples goes: NAME.deviation with the volume's ending."""
        return self.volume and self.volume.parent / ".deviation".join(_parts(self.volume))


def predict(
    model: Model,
    files: Mapping[str, Path],
    framing: Mapping[str, Framing],
    outputs: Outputs,
    asked: Mapping[str, Any],
    tell: Callable[[str], object] = note,
    passes: int | None = None,
) -> None:
    """Reconstruct the X-rays of `files` by view and write what `outputs` asks for; the preview alone costs seconds.

    asked: what `sampling` takes; what is not said is as the run itself samples. tell: what is called with every note,
    and at the end with what the result is no good for. passes: into the training's beam, None: as usual.
    """
    check_outputs(outputs, files, sampling(base=model.sampled, **asked).samples)
    xrays = model.prepare(files, framing)
    for text in notes_of(model, xrays):
        tell(text)
    seen = dict(zip(xrays, model.seen(xrays), strict=True))
    writers: Writers = {}
    if outputs.preview:
        images = {view: one.image for view, one in xrays.items()}
        writers[outputs.preview] = lambda part: write_preview(images, seen, part)
    if outputs.volume:
        found = answer(model, files, framing, xrays, asked, tell, passes)
        deviation = found.deviation
        writers[outputs.volume] = found.volume.write
        if deviation is not None and outputs.deviation:
            writers[outputs.deviation] = deviation.write
        if outputs.dicom:
            writers[outputs.dicom] = lambda part: write_series(found.volume, part)
        if outputs.png:
            writers[outputs.png] = lambda part: write_sheet(found.volume, seen, part)
        if outputs.record:
            writers[outputs.record] = lambda part: part.write_text(found.record)
    else:
        for text in model.passes_of(xrays, passes)[1]:
            tell(text)
    _write_all(writers)
    tell(DISCLAIMER)


def check_outputs(outputs: Outputs, files: Mapping[str, Path], samples: int = 1) -> None:
    """InputError for outputs that could not be written, before anything is computed."""
    deviation = outputs.deviation if samples > 1 else None
    named = [path for path in (*asdict(outputs).values(), outputs.record, deviation) if path is not None]
    if not named:
        raise InputError("nothing to write: give -o CT.nii.gz, or --preview FILE.png to see the framing alone")
    if outputs.volume is None and (outputs.dicom or outputs.png):
        raise InputError("--dicom and --png come with a volume: give -o CT.nii.gz as well")
    if outputs.volume is not None:
        require_written(outputs.volume)
    for path in (outputs.png, outputs.preview):
        if path is not None and path.suffix.lower() != ".png":
            raise InputError(f"{path}: a picture's name ends in .png")
    places = [path.resolve() for path in named]
    if len(set(places)) < len(places) or set(places) & {path.resolve() for path in files.values()}:
        raise InputError("two outputs, or an output and an input, have the same name: nothing was written")
    folder = outputs.dicom
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: holds files already: name a new or an empty folder")
    for path in named:
        if path.is_dir() and path != outputs.dicom:
            raise InputError(f"{path}: is a folder: name a file")
        if (surplus := len(os.fsencode(path.name)) + _UNTIL_WHOLE - _NAME_BYTES) > 0:
            raise InputError(f"{path}: its name is too long by {surplus} bytes: choose a shorter one")


def _parts(volume: Path) -> tuple[str, str]:
    """NAME and the ending of a volume; a NAME may hold dots, as a UID does."""
    ending = next((one for one in WRITTEN if volume.name.lower().endswith(one)), "")
    at = len(volume.name) - len(ending)
    return volume.name[:at], volume.name[at:]


def _write_all(writers: Writers) -> None:
    """Write every part first; only when all are written do they get their names."""
    try:
        with ExitStack() as stack:
            for path, write in writers.items():
                part = stack.enter_context(replacing(path))
                _try(part)
                write(part)
    except (OSError, RuntimeError, InputError) as error:  # RuntimeError: ITK's, for whatever the disk refuses
        reason = str(getattr(error, "strerror", None) or last_line(error))
        if isinstance(error, InputError):  # which names the temporary file
            reason = reason.partition(": ")[2]
        elif isinstance(error, RuntimeError):  # ITK names it behind the reason
            reason = reason.partition(": ")[0]
        raise NotWrittenError(
            f"{path}: cannot be written ({reason}): nothing was written: free some space, or choose another place"
        ) from None


def _try(part: Path) -> None:
    """OSError where no file can be made: of ITK and its libraries it would be lines of their own on stderr."""
    trial = part.with_name(f"{part.name}.trial")
    trial.touch()
    trial.unlink()
