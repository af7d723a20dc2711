"""The configuration: checked, and shown with where each value is from."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


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
    from dx2ct.planning.resolve import resolve as resolved
    from dx2ct.planning.show import to_yaml

    root = Path(__file__).resolve().parents[2]
    found = resolved(files or [root / "config.yaml"], root)
    if resolve:
        print(to_yaml(found), end="")
    else:
        print(f"{len(found.config.runs)} runs, {len(found.config.report)} of them reported: no fault")
