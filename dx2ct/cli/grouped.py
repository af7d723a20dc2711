"""Help that lists the commands under titles."""

from typing import Any

from typer.core import TyperGroup


class Grouped(TyperGroup):
    """A group whose commands stand under their `rich_help_panel`, in plain text."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write every visible command, with one line of help, under its title."""
        width = formatter.width - 6 - max(map(len, self.commands))
        titles = {
            name: getattr(command, "rich_help_panel", None) or "Commands" for name, command in self.commands.items()
        }
        for title in dict.fromkeys(titles.values()):
            rows = [
                (name, command.get_short_help_str(width))
                for name, command in self.commands.items()
                if titles[name] == title and not command.hidden
            ]
            with formatter.section(title):
                formatter.write_dl(rows)
