"""Which version of the distribution runs."""

from importlib.metadata import PackageNotFoundError, version


def installed(program: str) -> str:
    """`PROGRAM VERSION` as `--version` prints it."""
    try:
        return f"{program} {version('dx2ct')}"
    except PackageNotFoundError:
        return f"{program}, run from its source folder"
