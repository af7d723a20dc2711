"""X-ray files in, one CT out; the models that do it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from drr.errors import InputError
from dx2ct.cli.options import Device, MaxMemory, Threads
from dx2ct.predict.named import default_for, FOR_FILMS, in_words, model_folder, named

app = typer.Typer()


@app.command()
def predict(
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder of a finished run, results/RUN, or a name that `dx2ct models` lists. Without it chest-films"
            " takes films, chest line integrals."
        ),
    ] = None,
    pa: Annotated[Path | None, typer.Option(help="PA X-ray: PNG, JPEG, TIFF, DICOM, or .mha line integrals.")] = None,
    lateral: Annotated[Path | None, typer.Option(help="Lateral X-ray, for a model of two views.")] = None,
    xray: Annotated[list[str] | None, typer.Option(help="NAME=FILE, of a model's view; may be repeated.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Table with tabs: name, a column of files for each view; -o is a folder then.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The CT: .nii.gz, .nii, .mha or .nrrd.")] = None,
    dicom: Annotated[Path | None, typer.Option(help="New folder for the CT as a DICOM series.")] = None,
    png: Annotated[Path | None, typer.Option(help="Contact sheet of the CT.")] = None,
    preview: Annotated[Path | None, typer.Option(help="Picture of what the network sees; alone it is quick.")] = None,
    crop: Annotated[
        list[str] | None,
        typer.Option(help="VIEW:LEFT,TOP,RIGHT,BOTTOM in pixels of the file, after they were made square."),
    ] = None,
    rotate: Annotated[list[str] | None, typer.Option(help="VIEW:DEGREES clockwise, a multiple of 90.")] = None,
    flip: Annotated[list[str] | None, typer.Option(help="VIEW to mirror left to right.")] = None,
    invert: Annotated[list[str] | None, typer.Option(help="VIEW whose bone is dark in the file.")] = None,
    spacing_mm: Annotated[
        list[str] | None, typer.Option(help="[VIEW:]MM of a pixel at the detector, where the file does not say it.")
    ] = None,
    sid_mm: Annotated[list[str] | None, typer.Option(help="[VIEW:]MM from source to detector; 1800 is usual.")] = None,
    odd_mm: Annotated[
        list[str] | None, typer.Option(help="[VIEW:]MM from the middle of the patient to the detector; 200 is usual.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the solver.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the noise.")] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help="More than 1: their mean, and their deviation as a second volume, calibrated where the run can."
        ),
    ] = None,
    solver: Annotated[str | None, typer.Option(help="A name of docs/sampling.md.")] = None,
    planes: Annotated[
        str | None, typer.Option(help="alone, then their mean, or together: one volume at every step.")
    ] = None,
    noise: Annotated[
        str | None, typer.Option(help="image: one for all slices; volume: one that all planes see.")
    ] = None,
    consistency: Annotated[
        int | None,
        typer.Option(help="Iterations that make the CT agree with its X-rays, films by a curve of each; 0 = none."),
    ] = None,
    passes: Annotated[
        int | None,
        typer.Option(min=0, help="So often films of a beam that was not learnt are carried into the training's."),
    ] = None,
    style: Annotated[
        Path | None,
        typer.Option(help="Folder of styles, results/style: films go through them into that of rendered X-rays."),
    ] = None,
    max_memory: MaxMemory = 0,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Reconstruct a CT from X-ray files with a trained run. VIEW is pa, lateral or a NAME; options may be repeated.

    How it samples is, where nothing is said, as the run was last reconstructed by the workflow, else as in the paper.
    A film is first turned as its header says, then: crop, rotate, flip. Of it that is shown which the training's field
    holds of a patient: give --spacing-mm where the file has no scale. At the left must be: PA, the patient's right;
    lateral, the front.
    """
    from dx2ct.predict import command
    from dx2ct.predict.batch import predict_all, read_films
    from dx2ct.predict.framing import parse_framings
    from dx2ct.predict.model import load

    files = _files(pa, lateral, xray or [])
    words = {"crop": crop or (), "rotate": rotate or (), "flip": flip or (), "invert": invert or ()}
    words |= {"spacing_mm": spacing_mm or (), "sid_mm": sid_mm or (), "odd_mm": odd_mm or ()}
    given = {"steps": steps, "seed": seed, "samples": samples, "solver": solver, "planes": planes, "noise": noise}
    asked = {name: value for name, value in (given | {"consistency": consistency}).items() if value is not None}
    if sheet is None:
        framing = parse_framings(list(files), *words.values())
        outputs = command.Outputs(output, dicom, png, preview)
        found = load(model_folder(model or _default(files.values(), style)), device, threads, max_memory, style)
        command.predict(found, files, framing, outputs, asked, passes=passes)
        return
    if files or dicom or png or preview:
        raise InputError("--sheet names the films: leave --pa, --lateral, --xray, --dicom, --png and --preview out")
    if output is None or output.is_file():
        raise InputError("--sheet writes many files: give -o FOLDER")
    if model is None:
        from dx2ct.config.data import PA_AND_LATERAL

        rows = read_films(sheet, list(PA_AND_LATERAL), words)
        model = _default((file for row in rows for file in row.files.values()), style)
    found = load(model_folder(model), device, threads, max_memory, style)
    predict_all(found, read_films(sheet, found.views, words), output, asked, passes)


@app.command()
def models() -> None:
    """List the models that `--model NAME` takes: what they were trained on, their sizes, their scores."""
    for entry in named().values():
        print(in_words(entry))
    print("Research use only, not a medical device.")


def _default(files: Iterable[Path], style: Path | None) -> str:
    from drr.ct.sources import note

    name = default_for(files, style)
    if name == FOR_FILMS:
        note(f"the model is {name}, because films are given: --model chest is for rendered X-rays")
    return name


def _files(pa: Path | None, lateral: Path | None, named: list[str]) -> dict[str, Path]:
    """The files by view; InputError for a view that is named twice."""
    pairs = [(view, path) for view, path in (("pa", pa), ("lateral", lateral)) if path is not None]
    for word in named:
        view, equals, path = word.partition("=")
        if not (view and equals and path):
            raise InputError(f"--xray {word}: write NAME=FILE")
        pairs.append((view, Path(path)))
    files = dict(pairs)
    if len(files) < len(pairs):
        raise InputError("a view is given twice: name one file for each")
    return files


@app.command()
def films(
    cts: Annotated[list[Path], typer.Argument(help="CTs: DICOM, NIfTI, MHA, MHD or NRRD; six at most are shown.")],
    beside: Annotated[Path, typer.Option(help="Folder of real films, their names begin with pa or lateral.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page, .png.")],
    seed: Annotated[int, typer.Option(min=0, help="Of the looks, and of which real films are shown.")] = 0,
) -> None:
    """Draw simulated films of CTs beside real films: a page to look at before a training with train.augment.film."""
    from dx2ct.predict.film_page import write_page

    write_page(cts, beside, seed, output)
