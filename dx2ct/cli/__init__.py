"""python -m dx2ct: one subcommand a stage; the rules call these, and so can a person.

Heavy imports happen inside the subcommand that needs them, so that --help answers at once.
"""

import sys

import typer

from drr.border import one_line_errors
from dx2ct.cli import config, evaluate, learn, predict, prepare

app = typer.Typer(
    name="dx2ct",
    help="3D chest CT from one or two X-rays. Research use only, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for stages in (config, prepare, learn, predict, evaluate):
    app.add_typer(stages.app)


def main() -> None:
    """Run the command line; what a user or the machine did wrong is one line on stderr and exit code 1."""
    with one_line_errors(sys.argv[1:]):
        app()
