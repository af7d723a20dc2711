"""The commands of both packages with their options, as their own parsers know them."""

import argparse

import typer

from drr.__main__ import _parser
from dx2ct.cli import app
from dx2ct.cli.page import commands_of

GROUP = typer.main.get_command(app)
COMMANDS = commands_of(GROUP)  # of `python -m dx2ct`, by the words that call them


def named_in(words: list[str]) -> tuple[str, list[str]]:
    """The command that words call, and what follows it."""
    length = 1 if words[0] in COMMANDS else 2
    return " ".join(words[:length]), words[length:]


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The commands of `python -m drr`, by name."""
    (action,) = [one for one in _parser()._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(action.choices)
