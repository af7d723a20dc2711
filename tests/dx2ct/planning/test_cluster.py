"""What would wait for ever in a queue is said at the start: of `sinfo` and `squeue` as SLURM 22.05 prints them."""

from pathlib import Path

import pytest

from dx2ct.planning import cluster
from dx2ct.planning.cluster import misfits, Partition, read_partitions

SINFO = "cpu*|4:00:00|64000|(null)\ngpu|3-00:00:00|128000+|gpu:a100:4(S:0-1)\ngpu|3-00:00:00|64000|(null)\n"


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [("4:00:00", 240), ("30:00", 30), ("1-00:00:00", 1440), ("2-12:30:00", 3630), ("infinite", None), ("n/a", None)],
)
def test_time_limits(limit: str, minutes: int | None) -> None:
    assert cluster.minutes(limit) == minutes


def test_a_partition_offers_what_its_largest_node_has() -> None:
    default, partitions = read_partitions(SINFO)
    assert default == "cpu"
    assert partitions == {
        "cpu": Partition("cpu", 240, 64000, False),
        "gpu": Partition("gpu", 4320, 128000, True),
    }


@pytest.mark.parametrize(
    ("who", "resources", "said"),
    [
        ("rule train", {"runtime": 240, "mem_mb": 64000}, []),
        ("rule train", {"runtime": 4320, "gpu": 1, "slurm_partition": "gpu"}, []),
        ("rule train", {"runtime": 4320, "gpu": 1, "slurm_partition": "elsewhere"}, []),
        (
            "rule train",
            {"runtime": 4320},
            ["rule train asks for 4320 minutes, partition cpu has 240: its jobs would wait for ever; "
             "--set-resources train:runtime=240"],
        ),
        (
            "rule train",
            {"gpu": 1},
            ["rule train asks for a GPU, partition cpu has none: its jobs would wait for ever; "
             "--set-resources train:slurm_partition=NAME (or gpu=0)"],
        ),
        (
            "rule score",
            {"mem_mb": 200000, "slurm_partition": "gpu"},
            ["rule score asks for 200000 MB, partition gpu has nodes of 128000: its jobs would wait for ever; "
             "--set-resources score:mem_mb=128000"],
        ),
        (
            "a group",
            {"runtime": 300},
            ["a group asks for 300 minutes, partition cpu has 240: its jobs would wait for ever; "
             "lower group-components"],
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_with_its_cure(who: str, resources: dict[str, int | str], said: list[str]) -> None:
    assert misfits(who, resources, *read_partitions(SINFO)) == said


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder first on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_each_warning_comes_once(tools: Path) -> None:
    tool(tools, "sinfo", "echo 'cpu*|4:00:00|64000|(null)'")
    found = cluster.warnings([("rule train", {"gpu": 1}), ("rule train", {"gpu": 1}), ("rule score", {"runtime": 9})])
    assert len(found) == 1


@pytest.mark.parametrize(
    "script", ["exit 1", "echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1"]
)
def test_a_cluster_that_does_not_answer_is_no_reason_to_stop(tools: Path, script: str) -> None:
    tool(tools, "sinfo", script)
    tool(tools, "squeue", script)
    assert cluster.warnings([("rule train", {"gpu": 1})]) == []
    assert cluster.alive(tools) == []


def test_jobs_of_an_earlier_run_in_this_folder_are_found(tools: Path) -> None:
    log = tools / "here/.snakemake/slurm_logs/rule_train/dx2ct/17.log"
    other = tools / "here2/.snakemake/slurm_logs/rule_train/dx2ct/18.log"
    tool(tools, "squeue", f"echo '17                  {log}   '; echo '18                  {other}   '; echo '19  '")
    assert cluster.alive(tools / "here") == ["17"]
