"""One set of versions: pyproject.toml has ranges, requirements.lock the pins in them that pip and conda install."""

from importlib.metadata import distribution
import re
import tomllib

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
import yaml

from tests.lower_ends import lower_ends
from tests.workflow.snake import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCK = (ROOT / "requirements.lock").read_text().splitlines()


def normal(name: str) -> str:
    """A package's name as pip compares it."""
    return re.sub("[-_.]+", "-", name).lower()


def pins(lines: list[str]) -> dict[str, str]:
    """{package: version} of lines PACKAGE==VERSION."""
    return {normal(name): version for name, version in (line.split("==") for line in lines)}


def outside(requirements: list[str], versions: dict[str, str]) -> list[str]:
    """Requirements that no version is there for, or one that they do not admit."""
    return [
        str(one)
        for one in map(Requirement, requirements)
        if normal(one.name) not in versions or not one.specifier.contains(versions[normal(one.name)])
    ]


def test_the_lock_has_a_version_in_every_range() -> None:
    lock = pins(LOCK)
    assert not outside(PROJECT["dependencies"] + EXTRAS["dev"] + EXTRAS["web"] + EXTRAS["docs"], lock), (
        "make requirements.lock anew"
    )
    assert not [version for version in lock.values() if "+" in version], "local versions do not exist on PyPI"


def test_every_pin_admits_the_oldest_python_of_the_project() -> None:
    """Debian 12 has Python 3.11.2, and a package may ask for 3.11.5."""
    (oldest,) = SpecifierSet(PROJECT["requires-python"])
    asked = {name: distribution(name).metadata["Requires-Python"] for name in pins(LOCK)}
    assert oldest.operator == ">="
    assert not [name for name, one in asked.items() if one and not SpecifierSet(one).contains(oldest.version)]


def test_the_conda_environment_has_the_pins_of_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    found, lock = pins(pip), pins(LOCK)
    wanted = [normal(Requirement(one).name) for one in PROJECT["dependencies"]]
    assert {name: lock[name] for name in wanted}.items() <= found.items()
    assert found.keys() - set(wanted) == {"ziglang"} and not outside(EXTRAS["compiler"], found)


def test_the_cupy_note_of_the_conda_environment_names_versions_in_the_ranges() -> None:
    named = pins(re.findall(r"cupy-cuda1[23]x==[\d.]+\d", (ROOT / "environment.yml").read_text()))
    assert not outside(EXTRAS["gpu"] + EXTRAS["gpu-cuda12"], named)


def test_every_dependency_has_a_lower_end_that_its_range_admits() -> None:
    lowest = pins(lower_ends())
    ranges = [*PROJECT["dependencies"], *EXTRAS["web"]]
    assert len(lowest) == len(ranges)
    assert not outside(ranges, lowest)


def test_the_default_profile_makes_one_command_enough() -> None:
    profile = yaml.safe_load((ROOT / "profiles/default/profile.yaml").read_text())
    assert profile["cores"] == "all"
    assert profile["rerun-incomplete"] and profile["keep-going"] and profile["nolock"]
    assert profile["resources"] == {"gpu": 1, "download_slots": 2}
