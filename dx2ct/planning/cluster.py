"""What a SLURM cluster would leave waiting for ever, said before it does (docs/cluster.md): of `sinfo` and `squeue`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
import subprocess
from typing import Any

SECONDS = 30  # a controller that does not answer in this time is not waited for


@dataclass(frozen=True)
class Partition:
    """What a job may ask for: minutes (None: no limit), MB of the largest node, whether there are GPUs."""

    name: str
    minutes: int | None
    mem_mb: int
    gpus: bool


def minutes(limit: str) -> int | None:
    """A time as `sinfo` writes it, [days-][hours:]minutes:seconds, in whole minutes; `infinite` is None."""
    days, _, rest = limit.rpartition("-")
    if not rest.replace(":", "").isdigit():
        return None
    hours, minutes, _ = ([0, 0] + [int(part) for part in rest.split(":")])[-3:]
    return (int(days or 0) * 24 + hours) * 60 + minutes


def read_partitions(text: str) -> tuple[str | None, dict[str, Partition]]:
    """The default partition and all by name, of the lines of `sinfo --format "%P|%l|%m|%G"`, one a kind of node."""
    default, found = None, dict[str, Partition]()
    for line in text.splitlines():
        name, limit, mem, gres = (part.strip() for part in line.split("|"))
        if name.endswith("*"):
            default = name = name.rstrip("*")
        node = Partition(name, minutes(limit), int(mem.rstrip("+")), "gpu" in gres)
        other = found.get(name, node)
        found[name] = Partition(name, node.minutes, max(node.mem_mb, other.mem_mb), node.gpus or other.gpus)
    return default, found


def misfits(
    who: str, resources: Mapping[str, Any], default: str | None, partitions: Mapping[str, Partition]
) -> list[str]:
    """Why jobs of "rule NAME" or "a group" would wait for ever in their partition, and what to set instead.

    Nothing is said of a partition that `sinfo` does not name.
    """
    partition = partitions.get(str(resources.get("slurm_partition") or default))
    if partition is None:
        return []
    asked = {name: value for name, value in resources.items() if isinstance(value, int)}
    found = []
    if partition.minutes is not None and asked.get("runtime", 0) > partition.minutes:
        found.append((f"{asked['runtime']} minutes", f"{partition.minutes}", f"runtime={partition.minutes}"))
    if asked.get("mem_mb", 0) > partition.mem_mb:
        found.append((f"{asked['mem_mb']} MB", f"nodes of {partition.mem_mb}", f"mem_mb={partition.mem_mb}"))
    if asked.get("gpu", 0) and not partition.gpus:
        found.append(("a GPU", "none", "slurm_partition=NAME (or gpu=0)"))
    return [
        f"{who} asks for {wanted}, partition {partition.name} has {there}: its jobs would wait for ever; "
        + (
            f"--set-resources {who.removeprefix('rule ')}:{cure}"
            if who.startswith("rule ")
            else "lower group-components"
        )
        for wanted, there, cure in found
    ]


def warnings(asked: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Misfits of ("rule NAME" or "a group", resources) with this cluster's partitions, each once.

    None where `sinfo` does not answer.
    """
    answer = _answer("sinfo", "--noheader", "--format", "%P|%l|%m|%G")
    default, partitions = read_partitions(answer)
    return list(dict.fromkeys(line for who, wants in asked for line in misfits(who, wants, default, partitions)))


def alive(folder: Path) -> list[str]:
    """Ids of this user's jobs that an earlier run in `folder` left in the queue, told by where their logs lie."""
    logs = f"{folder / '.snakemake/slurm_logs'}/"
    lines = _answer("squeue", "--me", "--noheader", "--Format", "JobID:20,STDOUT:1000").splitlines()
    jobs = (line.split(maxsplit=1) for line in lines if len(line.split()) > 1)
    return [job for job, log in jobs if log.startswith(logs)]


def _answer(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
