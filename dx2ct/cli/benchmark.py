"""One's own method beside this project's on one table; no data is needed."""

from pathlib import Path
from typing import Annotated

import typer

from dx2ct.cli.options import Threads

app = typer.Typer(
    name="benchmark",
    no_args_is_help=True,
    help="Compare a method with ours on fixed phantoms: inputs, score, table.\n\ndocs/benchmark.md says what is fixed.",
)
Folder = Annotated[Path, typer.Argument(help="The benchmark's folder.")]


@app.command()
def inputs(
    folder: Folder,
    train: Annotated[
        bool, typer.Option("--train", help="Training and validation scans, too: ten times as many.")
    ] = False,
    cores: Annotated[int, typer.Option(min=0, help="Jobs at a time; 0 = all cores.")] = 0,
) -> None:
    """Write the X-rays of the test phantoms to FOLDER/inputs; what is there already is not made again."""
    from dx2ct.benchmark.cohort import Benchmark
    from dx2ct.benchmark.inputs import write_inputs

    print(f"next: {write_inputs(folder, train, cores, Benchmark())}")


@app.command()
def score(
    folder: Folder,
    name: Annotated[str, typer.Option(help="The method's name in the table.")],
    volumes: Annotated[
        list[str] | None,
        typer.Option(
            help="Where its volumes are, seen from FOLDER; once for each training, to have a spread. Without it "
            "theirs/{scan}.nii.gz."
        ),
    ] = None,
    resample: Annotated[
        bool, typer.Option("--resample", help="Put volumes of another grid on the benchmark's.")
    ] = False,
    by: Annotated[str, typer.Option(help="Who made it.")] = "",
    views: Annotated[str, typer.Option(help="The X-rays that it sees: pa+lateral or pa.")] = "",
    trained_on: Annotated[str, typer.Option(help="What its weights were trained on, in words.")] = "",
    cpu_seconds: Annotated[float | None, typer.Option(min=0, help="Of one training.")] = None,
    gpu_seconds: Annotated[float | None, typer.Option(min=0, help="Of one training.")] = None,
    link: Annotated[str, typer.Option(help="Where its code, paper and volumes are.")] = "",
    threads: Threads = 0,
) -> None:
    """Score one's own volumes of the test phantoms, and print them beside ours.

    Writes FOLDER/benchmark/NAME.csv and NAME.json, which a row is submitted by, and NAME.html, a page.
    """
    from drr.version import installed
    from dx2ct.benchmark.cohort import Benchmark
    from dx2ct.benchmark.provenance import Provenance
    from dx2ct.benchmark.submission import Submission, submit
    from dx2ct.config import check
    from dx2ct.training.device import set_up_torch

    set_up_torch("cpu", threads)
    said = check(
        Provenance,
        run=name,
        by=by,
        views=views,
        trained_on=trained_on,
        gpu_s=gpu_seconds,
        link=link,
        dx2ct=installed("dx2ct"),
    )
    submission = Submission(folder, tuple(volumes or ()), said, resample, cpu_seconds)
    found, text = submit(submission, Benchmark())
    for fault in found:
        typer.echo(f"error: {fault}", err=True)
    if found:
        raise typer.Exit(1)
    print(text)


@app.command()
def table(
    files: Annotated[list[Path] | None, typer.Argument(help="Rows that `benchmark score` wrote: NAME.csv.")] = None,
    directory: Annotated[
        Path | None, typer.Option(help="Rank the runs of a finished workflow instead, on its own test scans.")
    ] = None,
    run: Annotated[str, typer.Option(help="The run that is set against the others; without it the best.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A page of it, .html.")] = None,
) -> None:
    """Print the table that is there, with rows of files among it; needs no data.

    A file that is not whole is refused: this is how a submitted row is checked.
    """
    from dx2ct.benchmark.cohort import Benchmark
    from dx2ct.benchmark.shown import shown

    print(shown(files or [], directory, run, output, Benchmark()))
