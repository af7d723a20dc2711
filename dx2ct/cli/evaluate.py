"""Scores, tables, figures and the report."""

from pathlib import Path
from typing import Annotated

import typer

from dx2ct.cli.options import Data, LeaveOut, Output, Selection, Settings, Sheet, Threads

app = typer.Typer()


@app.command()
def score_run(
    run: Annotated[Path, typer.Option(help="Folder of the reconstructed run.")],
    settings: Settings,
    sheet: Sheet,
    data: Data,
    output: Output,
    leave_out: LeaveOut = None,
    selection: Selection = None,
    fold: Annotated[
        list[str] | None,
        typer.Option(help="NAME: of a run with folds, test scans are those of split_NAME; may be repeated."),
    ] = None,
    xray: Annotated[
        str | None,
        typer.Option(help="The section xray of config.yaml as JSON; without it X-rays are not compared."),
    ] = None,
    nodules: Annotated[Path | None, typer.Option(help="Table of annotated nodules, as lidc-nodules.tsv.")] = None,
    threads: Threads = 0,
) -> None:
    """Score every test scan of a run: one row a scan and plane, and nodules.csv and slices.csv beside it."""
    from dx2ct import layout
    from dx2ct.config import parse, ScoreSettings, SelectionSettings, XraySettings
    from dx2ct.data.cohort.sheet import read_sheet
    from dx2ct.report.model_card import write_model_cards
    from dx2ct.scoring.run import score_run as score_all
    from dx2ct.training.device import set_up_torch

    set_up_torch("cpu", threads)
    chosen = parse(SelectionSettings, selection) if selection else None
    folds: tuple[str | None, ...] = tuple(fold or ()) or (None,)
    rows = {name: read_sheet(sheet, leave_out or (), chosen, name) for name in folds}
    tests = list(dict.fromkeys(row.scan for some in rows.values() for row in some if row.split == "test"))
    rendered = parse(XraySettings, xray) if xray else None
    score_all(run, tests, parse(ScoreSettings, settings), data, output, rendered, sheet, nodules, threads)
    if output.resolve() == layout.scores(run).resolve():
        write_model_cards(run, sheet, rows)


@app.command()
def score(
    truth: Annotated[Path, typer.Argument(help="The CT: NIfTI, MHA, MHD or NRRD in HU.")],
    prediction: Annotated[Path, typer.Argument(help="The volume to score, of any method, in HU.")],
    csv: Annotated[bool, typer.Option("--csv", help="A header and a row of CSV instead of a line of JSON.")] = False,
    resample: Annotated[bool, typer.Option("--resample", help="Put PREDICTION on TRUTH's grid first.")] = False,
    lpips: Annotated[bool, typer.Option("--lpips", help="LPIPS too; null where its weights cannot be had.")] = False,
    centred: Annotated[
        bool,
        typer.Option(
            "--centred",
            help="Put TRUTH on PREDICTION's grid, middle on middle: of X-rays that `drr render` made of TRUTH.",
        ),
    ] = False,
) -> None:
    """Score any volume file against its CT: every metric definition in use, in one line."""
    from dx2ct.scoring.files import score_files, to_text

    print(to_text(score_files(truth, prediction, resample, lpips, centred), csv))


@app.command()
def metrics(
    runs: list[Path],
    output: Output,
    comparisons: Annotated[Path | None, typer.Option(help="Where run against run goes, paired by scan.")] = None,
) -> None:
    """Aggregate the scores of runs: one row a run."""
    from dx2ct.scoring.statistics import write_comparisons
    from dx2ct.scoring.summary import write_metrics

    write_metrics(runs, output)
    if comparisons:
        write_comparisons(runs, comparisons)


@app.command()
def tables(
    runs: list[Path],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the tables.")],
    metrics: Annotated[Path, typer.Option(help="results/metrics.csv")],
    benchmarks: Annotated[Path, typer.Option(help="Folder of the workflow's benchmarks.")] = Path("benchmarks"),
) -> None:
    """Write the paper's tables, nodules and costs as CSV, Markdown and LaTeX."""
    from dx2ct.report.tables import write_tables

    write_tables(runs, metrics, benchmarks, output)


@app.command()
def figures(
    runs: list[Path],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the figures.")],
    sheet: Sheet,
    data: Data,
    leave_out: LeaveOut = None,
) -> None:
    """Write the figures about the runs as PNG and PDF."""
    from dx2ct.report.pictures import write_figures

    write_figures(runs, sheet, leave_out or (), data, output)


@app.command()
def report(
    runs: list[Path],
    output: Output,
    metrics: Annotated[Path, typer.Option(help="results/metrics.csv")],
    comparisons: Annotated[Path, typer.Option(help="results/comparisons.csv")],
    tables: Annotated[Path, typer.Option(help="Folder that `tables` wrote.")],
    figures: Annotated[Path, typer.Option(help="Folder that `figures` wrote.")],
    sheet: Sheet,
    data: Data,
    leave_out: LeaveOut = None,
    left_out: Annotated[
        list[Path] | None, typer.Option(help="Table or record of scans left out, with reasons.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="The whole configuration as JSON, to be shown.")] = None,
) -> None:
    """Write one self-contained HTML page about the runs, with a viewer of their volumes."""
    from dx2ct.report.page import Inputs, write_report

    inputs = Inputs(metrics, comparisons, sheet, data, tables, figures, config)
    write_report(runs, inputs, leave_out or (), left_out or (), output)
