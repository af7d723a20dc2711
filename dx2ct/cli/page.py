"""docs/commands.md: every command with its arguments and options, read from the command line itself.

python -m dx2ct.cli.page writes it anew.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from drr.files import replacing

PAGE = Path(__file__).resolve().parents[2] / "docs/commands.md"

HEAD = """# Commands

<!-- python -m dx2ct.cli.page writes this page -->

`dx2ct` is `python -m dx2ct`. Every stage is one command; the workflow's rules call the same ones.
What a user or the machine did wrong is one line on standard error, and the exit code is 1.
"""


def commands_page() -> str:
    """The page, Markdown."""
    from dx2ct.cli import app

    shown = commands_of(typer.main.get_command(app))
    return "\n".join([HEAD, *(line for words, command in shown.items() for line in _command(words, command))])


def commands_of(group: Any) -> dict[str, Any]:
    """Every command that is not hidden, by the words that call it: those of a group inside by two."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        inner = commands_of(command) if hasattr(command, "commands") else {}
        found |= {f"{name} {words}": one for words, one in inner.items()}
        if not inner and not command.hidden:
            found[name] = command
    return found


def _command(words: str, command: Any) -> Iterator[str]:
    """One command: usage, what it does, and a table of its options."""
    arguments = [_usage(one) for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    yield f"## {words}\n"
    yield f"```\n{' '.join(['dx2ct', words, *arguments, *(['[OPTIONS]'] if options else [])])}\n```\n"
    yield f"{_paragraphs(command.help)}\n"
    yield "| option | what | default |\n| --- | --- | --- |"
    yield from (f"| {_names(one)} | {_cell(one.help or '')} | {_default(one)} |" for one in options)
    yield ""


def _usage(argument: Any) -> str:
    name = (argument.metavar or argument.name.upper()) + ("..." if argument.nargs < 0 else "")
    return name if argument.required else f"[{name}]"


def _paragraphs(text: str | None) -> str:
    """The docstring without its indent."""
    return "\n".join(line.strip() for line in (text or "").strip().splitlines())


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _default(option: Any) -> str:
    if option.required:
        return "must be given"
    default = option.default
    says_nothing = default is None or default is False or default == "" or callable(default)
    return "" if says_nothing else f"`{default}`"


if __name__ == "__main__":
    with replacing(PAGE) as part:
        part.write_text(commands_page(), encoding="utf-8")
