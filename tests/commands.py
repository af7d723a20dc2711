"""The commands of both packages with their options, as their own parsers know them."""

import argparse

import typer

from drr.__main__ import _parser
from dx2ct.cli import app

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # of `python -m dx2ct`, by name


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The commands of `python -m drr`, by name."""
    (action,) = [one for one in _parser()._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(action.choices)
