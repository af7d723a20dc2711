"""Print the lower end of every range of pyproject.toml's dependencies as a pin, for `make lower-test`."""

from pathlib import Path
import re
import tomllib


def lower_ends() -> list[str]:
    """PACKAGE==VERSION of each dependency."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.sub(r"^([\w-]+)>=([\w.]+).*$", r"\1==\2", one) for one in project["dependencies"]]


if __name__ == "__main__":
    print(*lower_ends())
