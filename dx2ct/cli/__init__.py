"""dx2ct, or python -m dx2ct: one subcommand a stage; the rules call these, and so can a person.

Heavy imports happen inside the subcommand that needs them, so that --help answers at once.
"""

import sys
from typing import Annotated

import typer

from drr.border import one_line_errors, show_tracebacks
from dx2ct.cli import benchmark, config, evaluate, exchange, films, learn, predict, prepare, serve, style
from dx2ct.cli.grouped import Grouped

app = typer.Typer(
    name="dx2ct",
    cls=Grouped,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
GROUPS = {
    "A project": (config.app,),
    "A CT from X-rays": (predict.app, serve.app),
    "Scans and their X-rays": (prepare.app,),
    "Trainings and reconstructions": (learn.app,),
    "The style of films": (style.app,),
    "Films that have a CT": (films.app,),
    "Scores and reports": (evaluate.app,),
    "A method of one's own": (benchmark.app,),
    "For other programs": (exchange.app,),
}
for title, stages in GROUPS.items():
    for stage in stages:
        for registered in stage.registered_commands:
            registered.rich_help_panel = title
        app.add_typer(stage, rich_help_panel=title)


def _say_version(is_asked: bool) -> None:
    from drr.version import installed

    if is_asked:
        typer.echo(installed("dx2ct"))
        raise typer.Exit


@app.callback()
def every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and end.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say where an error came from.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars, no notes.")] = False,
) -> None:
    """3D chest CT from one or two X-rays. Research use only, not a medical device."""
    if verbose:
        show_tracebacks()
    if quiet:
        from drr.progress import be_quiet

        be_quiet()


def main() -> None:
    """Run the command line; what a user or the machine did wrong is one line on stderr and exit code 1."""
    with one_line_errors(sys.argv[1:]):
        app()
