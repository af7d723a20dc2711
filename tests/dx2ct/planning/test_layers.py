"""Files as layers: what wins, where it is from, and one line for every file that cannot be read."""

from functools import reduce
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest

from drr.errors import InputError
from dx2ct.planning.layers import command_line, KeyPath, Layer, merged, read_layers

KEYS = st.sampled_from("ab")
LEAVES = st.none() | st.booleans() | st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
SECTIONS = st.sampled_from(["s", "t"])  # as the types have it: a key is always a section or never
VALUES = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=2),
    lambda inner: st.builds(lambda leaves, deeper: leaves | deeper, st.dictionaries(KEYS, LEAVES, max_size=2),
                            st.dictionaries(SECTIONS, inner, max_size=2)),
    max_leaves=6,
)  # fmt: skip
MIXED = st.recursive(LEAVES, lambda inner: st.dictionaries(st.sampled_from("abst"), inner, max_size=3), max_leaves=8)


def layers(*values: Any) -> list[Layer]:
    return [Layer(str(number), value, {}) for number, value in enumerate(values)]


def result(*values: Any) -> dict[str, Any]:
    return merged(layers(*values))[0]


def paths(value: Any, path: KeyPath = ()) -> dict[KeyPath, Any]:
    """Every key at any depth with its value."""
    found = {path: value} if path else {}
    for key, inner in value.items() if isinstance(value, dict) else ():
        found |= paths(inner, (*path, key))
    return found


@given(VALUES, VALUES, VALUES)
def test_laying_over_is_associative(a: Any, b: Any, c: Any) -> None:
    assert result(a, b, c) == result(result(a, b), c) == result(a, result(b, c))
    assert result(a, {}) == result({}, a) == result(a, a) == a


@given(st.lists(st.dictionaries(st.sampled_from("abst"), MIXED, max_size=3), min_size=1, max_size=4))
def test_the_last_layer_that_says_a_key_wins_and_is_named(values: list[Any]) -> None:
    """Also where a section replaces a value, or a value a section."""
    final, origins = merged(layers(*values))
    assert final == reduce(lambda below, above: result(below, above), values)
    found = paths(final)
    assert set(origins) == set(found)
    for path, value in found.items():
        saying = [number for number, layer in enumerate(values) if path in paths(layer)]
        assert origins[path] == str(saying[-1])
        if not isinstance(value, dict):
            assert paths(values[saying[-1]])[path] == value


def test_merging_changes_no_layer() -> None:
    below = {"s": {"a": 1}}
    result(below, {"s": {"a": 2}})
    assert below == {"s": {"a": 1}}


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_file_is_laid_over_its_base_and_the_base_over_its_own(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    write(root, lowest="v: {a: 1, b: 1, c: 1}\n")
    write(root / "deep", middle="base: lowest.yaml\nv: {b: 2, c: 2}\n")
    top = write(tmp_path, top="base: deep/middle.yaml\n\nv:\n  c: 3\n") / "top.yaml"
    values, origins = merged(read_layers([top], root))
    assert values == {"v": {"a": 1, "b": 2, "c": 3}}
    places = {key: Path(origins["v", key]).name for key in "abc"}
    assert places == {"a": "lowest.yaml:1", "b": "middle.yaml:2", "c": "top.yaml:4"}


def test_a_file_may_have_the_name_of_its_base(tmp_path: Path) -> None:
    """As mine/config.yaml, which `dx2ct cohort` writes."""
    (tmp_path / "mine").mkdir()
    write(tmp_path, config="v: {a: 1, b: 1}\n")
    write(tmp_path / "mine", config="base: config.yaml\nv: {b: 2}\n")
    assert merged(read_layers([tmp_path / "mine/config.yaml"], tmp_path))[0] == {"v": {"a": 1, "b": 2}}


def test_a_base_that_two_files_have_is_read_once_below_both(tmp_path: Path) -> None:
    write(tmp_path, low="v: {a: 1, b: 1}\n", one="base: low.yaml\nv: {a: 2}\n", two="base: low.yaml\nv: {b: 3}\n")
    values, _ = merged(read_layers([tmp_path / "one.yaml", tmp_path / "two.yaml"], tmp_path))
    assert values == {"v": {"a": 2, "b": 3}}


def test_files_are_named_as_a_person_would_type_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, mine="v: {a: 1}\n")
    monkeypatch.chdir(tmp_path)
    _, origins = merged(read_layers([tmp_path / "mine.yaml"], tmp_path))
    assert origins["v", "a"] == "mine.yaml:1"


def test_exponents_are_numbers_and_dates_are_text(tmp_path: Path) -> None:
    write(tmp_path, mine="a: [1e-3, 2E5, -1.5e+2, .5e1]\nb: [1e, e3, 2026-01-31, '1e-3']\n")
    ((values),) = [layer.values for layer in read_layers([tmp_path / "mine.yaml"], tmp_path)]
    assert values == {"a": [1e-3, 2e5, -150.0, 5.0], "b": ["1e", "e3", "2026-01-31", "1e-3"]}


def test_the_command_line_is_read_as_a_file_is() -> None:
    """Snakemake hands on what is deeper than the topmost key as text."""
    texts = {"s": {"a": "16", "b": "1e-3", "c": "true", "d": "null", "e": "800.0", "f": ["1", "pa"], "g": "a: b"}}
    read = {"s": {"a": 16, "b": 1e-3, "c": True, "d": None, "e": 800.0, "f": [1, "pa"], "g": "a: b"}}
    layer = command_line(texts)
    assert layer.values == read and type(layer.values["s"]["e"]) is float
    assert layer.origin(("s", "a")) == "--config"


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, mine="# nothing\n")
    assert merged(read_layers([tmp_path / "mine.yaml"], tmp_path)) == ({}, {})


BAD = {
    "a: [1\n": ":2: no YAML (",
    "a: 1\nb: {c: 1, c: 2}\n": ":2: c stands in line 2 already: keep one",
    "a: 1\nb: 2\n\na: 3\n": ":4: a stands in line 1 already: keep one",
    "- a\n- b\n": ": a configuration is keys and values, not a list",
    "just words\n": ": a configuration is keys and values, not a str",
    "a: \tb: c\n": ":1: no YAML (",
    "a: !!python/object:os.system {}\n": ":1: no YAML (",
    "base: gone.yaml\n": ": base: gone.yaml: no other file of that name, neither beside it",
    "base: [x]\n": ": base: ['x'] is no file name",
    "base: mine.yaml\n": ": base: mine.yaml: no other file of that name, neither beside it",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_file_is_one_line_that_names_it_and_the_line(text: str, tmp_path: Path) -> None:
    write(tmp_path, mine=text)
    with pytest.raises(InputError) as error:
        read_layers([tmp_path / "mine.yaml"], tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'mine.yaml'}{BAD[text]}")
    assert "\n" not in str(error.value)


def test_a_longer_circle_is_seen(tmp_path: Path) -> None:
    write(tmp_path, a="base: b.yaml\n", b="base: c.yaml\n", c="base: a.yaml\n")
    with pytest.raises(InputError, match="circle"):
        read_layers([tmp_path / "a.yaml"], tmp_path)


@pytest.mark.parametrize("content", [b"a: \xff\n", b"a: \x00\n", b"\xff\xfea\x00"])
def test_bytes_that_are_no_text_are_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_layers([path], tmp_path)
    assert str(error.value).startswith(f"{path}") and "\n" not in str(error.value)


def test_a_file_that_is_not_there_and_a_folder_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(InputError) as error:
            read_layers([path], tmp_path)
        assert str(error.value).startswith(f"{path}: configuration cannot be read (")
