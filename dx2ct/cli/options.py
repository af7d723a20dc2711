"""The options that several subcommands share."""

from pathlib import Path
from typing import Annotated

import typer

Settings = Annotated[
    str, typer.Option(help="The stage's section of the configuration as JSON; missing keys have their defaults.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where the result goes.")]
Sheet = Annotated[Path, typer.Option(help="The cohort's sample sheet (.tsv).")]
Header = Annotated[
    str, typer.Option(help="What holds instead of a volume file's header, as JSON: the sheet's column `header`.")
]
Selection = Annotated[
    str | None,
    typer.Option(help="split, limit and filters of the section cohort as JSON; without it all rows."),
]
Data = Annotated[Path, typer.Option(help="Folder with xrays/, slices/ and volumes/.")]
Fold = Annotated[
    str | None, typer.Option(help="NAME: the parts that the sheet's column split_NAME says, instead of its split.")
]
LeaveOut = Annotated[list[str] | None, typer.Option(help="A scan of the sheet to pass over; may be repeated.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 = all.")]
Engine = Annotated[
    str, typer.Option(help="The section engine of the configuration as JSON; without it nothing is compiled or drawn.")
]
MaxMemory = Annotated[
    int, typer.Option(min=0, help="MB of the process, on a GPU of what PyTorch has there; 0 = most of what is free.")
]
