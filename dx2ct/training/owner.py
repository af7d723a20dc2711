"""Trainings have an owner: of two that write into one run's folder the newer stays, and the older ends itself.

A training may outlive the workflow that started it (kill -9, a lost node). Would it go on writing, its weights would
stand under the settings of the training that was started after it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, UTC
import json
import os
from pathlib import Path
import platform
import uuid

from drr.errors import InputError
from drr.files import replacing
from dx2ct.training.distributed import rank

TOKEN = ".owner.json"
_owned: dict[Path, str] = {}  # folders that trainings of this process own, and their tokens


@contextmanager
def owning(folder: Path) -> Iterator[None]:
    """Take a run's folder over for as long as this lasts; whoever owned it before is refused from now on.

    Of several processes rank 0 does so, because it writes alone.
    """
    if rank() != 0:
        yield
        return
    token = {
        "token": uuid.uuid4().hex,
        "machine": platform.node(),
        "process": os.getpid(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with replacing(folder / TOKEN) as part:
        part.write_text(json.dumps(token) + "\n", encoding="utf-8")
    _owned[folder.resolve()] = str(token["token"])
    try:
        yield
        require_owner(folder)
    finally:
        if _holder(folder).get("token") == token["token"]:
            with suppress(OSError):
                (folder / TOKEN).unlink()
        del _owned[folder.resolve()]


def require_owner(folder: Path) -> None:
    """InputError where another training has taken the folder over; call it between writing a file and its renaming.

    Folders that this process has not taken over are nobody's.
    """
    mine = _owned.get(folder.resolve())
    if mine is None:
        return
    found = _holder(folder)
    if found.get("token") != mine:
        newer = f"process {found.get('process')} on {found.get('machine')}, started {found.get('started')}"
        newer = newer if found else "and has ended, or the folder was deleted"
        raise InputError(
            f"{folder}: a newer training has taken this run over ({newer}): this one ends, writing nothing"
        )


def _holder(folder: Path) -> dict[str, object]:
    """What the token says; empty where there is none that can be read."""
    try:
        found = json.loads((folder / TOKEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
