"""Stages about films whose patients have a CT, too."""

from pathlib import Path
from typing import Annotated

import typer

from drr.errors import InputError
from dx2ct.cli.options import Data, Device, MaxMemory, Output, Threads

app = typer.Typer()


@app.command()
def film_views(
    archive: Annotated[Path, typer.Argument(help="A zipped DICOM series of films.")], output: Output
) -> None:
    """Write which image of a series is the PA and which the lateral, and why the others are not taken (JSON)."""
    from dx2ct.predict.film_series import write_films

    write_films(archive, output)


@app.command()
def film_predict(
    archive: Annotated[Path, typer.Argument(help="The zipped series.")],
    run: Annotated[Path, typer.Option(help="Folder of a finished run.")],
    views: Annotated[Path, typer.Option(help="What film-views says of it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="NAME.run.json; volume and preview lie beside it.")],
    max_memory: MaxMemory = 0,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Reconstruct a series of films as `predict` does; why one cannot be used stands in the record."""
    from dx2ct.predict.film_series import predict_films, read_films
    from dx2ct.predict.model import load

    if not output.name.endswith(".run.json"):
        raise InputError(f"{output}: a record's name ends in .run.json")
    predict_films(load(run, device, threads, max_memory), archive, read_films(views), output)


@app.command()
def film_scores(
    pairs: Annotated[list[str], typer.Argument(help="FILMS=SCAN: a series of films, a CT of the same patient.")],
    run: Annotated[Path, typer.Option(help="Folder of the run that reconstructed them.")],
    data: Data,
    output: Output,
) -> None:
    """Score reconstructions of films against CTs that are not aligned with them: one row a series."""
    from dx2ct.scoring.films import score_films

    split = [tuple(pair.split("=")) for pair in pairs]
    if bad := [pair for pair, parts in zip(pairs, split, strict=True) if len(parts) != 2 or not all(parts)]:
        raise InputError(f"{bad[0]}: say FILMS=SCAN")
    score_films(run, [(films, scan) for films, scan in split], data, output)


@app.command()
def film_table(runs: list[Path], output: Output) -> None:
    """Aggregate the scores of films of runs: one row a run and metric."""
    from dx2ct.scoring.films import write_film_table

    write_film_table(runs, output)


@app.command()
def film_figure(
    series: Annotated[list[str], typer.Argument(help="Names of series of films, in the order to be shown.")],
    run: Annotated[list[Path], typer.Option(help="Folder of a run that reconstructed them; may be repeated.")],
    data: Data,
    output: Output,
) -> None:
    """Draw films and the middle slices of each run's reconstructions, of the first series that all have (PNG)."""
    from dx2ct.predict.film_figure import write_film_figure

    write_film_figure(run, series, data, output)
