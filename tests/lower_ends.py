"""Print the lower end of every range of pyproject.toml's dependencies and of its extra web, for `make lower-test`."""

from pathlib import Path
import re
import tomllib


def lower_ends() -> list[str]:
    """PACKAGE==VERSION of each dependency, those of the extra web among them."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ranges = [*project["dependencies"], *project["optional-dependencies"]["web"]]
    return [re.sub(r"^([\w-]+)>=([\w.]+).*$", r"\1==\2", one) for one in ranges]


if __name__ == "__main__":
    print(*lower_ends())
