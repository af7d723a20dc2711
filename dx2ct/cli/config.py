"""A project's folder, and its configuration: checked, and shown with where each value is from."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    like: Annotated[
        str, typer.Option(help="The configuration to begin with: demo, or a file's name of workflow/config/.")
    ] = "demo",
) -> None:
    """Write a project folder: config.yaml, profiles, and a Snakefile that includes the installed workflow."""
    from dx2ct.cli.project import write_project

    print(f"next: {write_project(folder, like)}")


@app.command()
def example_xrays(folder: Annotated[Path, typer.Argument(help="A new folder.")]) -> None:
    """Write the example X-rays, with their attribution, to try `dx2ct predict` and `dx2ct serve` with."""
    from dx2ct.cli.project import write_examples

    print(f"next: {write_examples(folder)}")


@app.command()
def config(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Configuration files, the later over the earlier; none: config.yaml.")
    ] = None,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="Print every value, with FILE:LINE or the source of its default.")
    ] = False,
) -> None:
    """Check configuration files; a fault is one line with file, line and key."""
    from dx2ct.layout import ROOT
    from dx2ct.planning.resolve import resolve as resolved
    from dx2ct.planning.show import to_yaml

    found = resolved(files or [ROOT / "config.yaml"], ROOT)
    if resolve:
        print(to_yaml(found), end="")
    else:
        print(f"{len(found.config.runs)} runs, {len(found.config.report)} of them reported: no fault")
