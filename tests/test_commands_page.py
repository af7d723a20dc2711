"""docs/commands.md is what the command line says of itself."""

from dx2ct.cli.page import commands_page, PAGE


def test_the_page_is_what_the_command_line_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert commands_page() == page, "run `python -m dx2ct.cli.page`"
    assert "| `--leave-one-out` | A fold for each patient" in page and "dx2ct config [FILES...] [OPTIONS]" in page
