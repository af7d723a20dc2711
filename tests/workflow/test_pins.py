"""One set of versions: what conda, pip and the set-up commands install is the same."""

import re
import tomllib

import yaml

from tests.workflow.snake import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(pins: list[str]) -> dict[str, str]:
    """{package: version} with names as pip compares them."""
    pairs = [pin.split("==") for pin in pins]
    return {re.sub("[-_.]+", "-", name).lower(): version for name, version in pairs}


def test_the_conda_environment_has_the_pins_of_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert normal(pip) == normal(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["compiler"])


def test_the_lock_contains_the_pins_of_pyproject() -> None:
    lock = normal((ROOT / "requirements.lock").read_text().splitlines())
    pinned = normal(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"])
    assert pinned.items() <= lock.items(), "make requirements.lock anew"
    assert not [version for version in lock.values() if "+" in version], "local versions do not exist on PyPI"


def test_the_cupy_note_of_the_conda_environment_names_the_pinned_versions() -> None:
    text = (ROOT / "environment.yml").read_text()
    for extra in ("gpu", "gpu-cuda12"):
        assert all(pin in text for pin in PROJECT["optional-dependencies"][extra])


def test_the_default_profile_makes_one_command_enough() -> None:
    profile = yaml.safe_load((ROOT / "profiles/default/profile.yaml").read_text())
    assert profile["cores"] == "all"
    assert profile["rerun-incomplete"] and profile["keep-going"] and profile["nolock"]
    assert profile["resources"] == {"gpu": 1, "download_slots": 2}
