"""The stages of the section style: films, training, translation, the gap that is left."""

from pathlib import Path
from typing import Annotated

import typer

from drr.errors import InputError
from dx2ct.cli.options import Data, Device, Engine, LeaveOut, Output, Selection, Settings, Sheet, Threads

app = typer.Typer()
StyleFolder = Annotated[Path, typer.Option(help="Folder of a view's style, results/style/VIEW.")]


@app.command()
def style_films(settings: Settings, data: Data, threads: Threads = 1) -> None:
    """Read the films of one view as predict would: DATA/films/VIEW.npy, and VIEW.tsv with what was left out and why."""
    from dx2ct.config import parse
    from dx2ct.config.style import FilmsSettings
    from dx2ct.predict.film_stack import write_films

    write_films(parse(FilmsSettings, settings), data, threads)


@app.command()
def style_train(
    settings: Settings,
    sheet: Sheet,
    data: Data,
    output: Output,
    leave_out: LeaveOut = None,
    selection: Selection = None,
    engine: Engine = "{}",
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Train the CycleGAN of one view; to resume after an interruption, run the same command again."""
    from dx2ct.config import EngineSettings, parse, SelectionSettings
    from dx2ct.config.style import StyleRunSettings
    from dx2ct.data.cohort.sheet import read_sheet
    from dx2ct.methods.trained_on import Stage, TrainedOn, write_trained_on
    from dx2ct.report.provenance import data_of
    from dx2ct.report.style import write_examples
    from dx2ct.style.run import load_style
    from dx2ct.style.train import train_style
    from dx2ct.training.device import set_up_torch
    from dx2ct.training.owner import owning, require_owner
    from dx2ct.training.runtime import Runtime

    parsed = parse(StyleRunSettings, settings)
    rows = read_sheet(sheet, leave_out or (), parse(SelectionSettings, selection) if selection else None)
    trained = [row for row in rows if row.split == "train"]
    runtime = Runtime(set_up_torch(device, threads), engine=parse(EngineSettings, engine))
    with owning(output):
        scans = [row.scan for row in trained]
        train_style(parsed, scans, data, output, runtime)
        require_owner(output)
        patients = len({row.patient for row in trained})
        stage = Stage(data_of(sheet), sheet.name, len(trained), patients, parsed.train.steps)
        write_trained_on(output, TrainedOn((stage,)))
        write_examples(load_style(output, runtime.device), scans, data)


@app.command()
def style_transfer(scan: str, style: StyleFolder, data: Data, device: Device = "auto", threads: Threads = 0) -> None:
    """Write the rendered X-ray of a scan in the style of films: STYLE/xrays/SCAN.mha."""
    from dx2ct.style.run import load_style
    from dx2ct.style.transfer import transfer
    from dx2ct.training.device import set_up_torch

    transfer(load_style(style, set_up_torch(device, threads)), scan, data)


@app.command()
def style_gap(
    scans: list[str],
    style: StyleFolder,
    data: Data,
    output: Output,
    copies: Annotated[int, typer.Option(min=0, help="Changed copies of each scan, to have more X-rays.")] = 0,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """How well do two classifiers tell X-rays from films, before and after a style? JSON; 0.5: not at all.

    SCANS: whose X-rays are taken, best those that the style was not trained on.
    """
    from dx2ct.style.judge import write_gap
    from dx2ct.style.run import load_style
    from dx2ct.training.device import set_up_torch

    if len(set(scans)) < len(scans):
        raise InputError("a scan is named twice: name each once")
    found = write_gap(load_style(style, set_up_torch(device, threads)), scans, data, copies, output)
    for name, value in found.items():
        print(f"{name}: {value:.3g}")


@app.command()
def figure4(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs that reconstructed from styled X-rays.")],
    scan: Annotated[str, typer.Option(help="The scan to show.")],
    style: Annotated[Path, typer.Option(help="Folder of styles, results/style.")],
    data: Data,
    output: Output,
) -> None:
    """Draw figure 4 of the paper: X-rays in the style of films, and what runs make of them: OUTPUT.png and .pdf."""
    from dx2ct.report.style import write_film_figure

    write_film_figure(scan, runs, style, data, output)
