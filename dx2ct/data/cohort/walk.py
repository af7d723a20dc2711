"""What lies under a folder: every file, zip and folder that may be a scan, found in one walk."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
import os
from pathlib import Path

from drr.ct.sources import kind_of
from drr.progress import bar
from drr.volume import SUFFIXES

_WORKFLOW_FOLDERS = ("data", "results", "logs", "benchmarks")
# Files that hold scans, or may, and are not read: nobody shall think that they were.
_UNREAD = {
    (".img",): "an .img without the .hdr that belongs to it: put that beside it",
    (".mgz", ".mgh", ".mnc", ".gipl"): "a volume of a kind that is not read: convert it to .nii.gz",
    (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar"): "an archive that is not read: unpack it",
}


@dataclass(frozen=True)
class Tree:
    """The visible folders and files below a folder, in a fixed order; `folder` is one of its folders."""

    folder: Path
    folders: Sequence[Path]
    files: Sequence[Path]

    def candidates(self) -> list[Path]:
        """Everything that may be a scan: folders and files of known kinds."""
        return sorted(path for path in (*self.folders, *self.files) if _may_be_a_scan(path))

    def without(self, taken: Collection[Path]) -> "Tree":
        """The rest when some files are taken: folders that held nothing else are no places to look at again."""
        files = [file for file in self.files if file not in taken]
        emptied = {above for path in taken for above in path.parents} - {file.parent for file in files}
        return Tree(self.folder, [one for one in self.folders if one not in emptied], files)


def walked(folder: Path, output: Path) -> Tree:
    """What lies below a folder, once: without `output` and without what a workflow made there."""
    all_folders, all_files = [folder], []
    entered = {os.path.realpath(folder)}  # links may lead in circles
    with bar("looking", "folder", None) as looking:
        for name, folders, files in os.walk(folder, followlinks=True):
            here = Path(name)
            visible = [one for one in folders if not one.startswith(".") and here / one != output]
            folders[:] = [one for one in visible if os.path.realpath(here / one) not in entered]
            if (
                ".snakemake" in folders or (here / ".snakemake").is_dir()
            ):  # a workflow ran here: what it made is no new scan
                folders[:] = [one for one in folders if one not in _WORKFLOW_FOLDERS]
            entered.update(os.path.realpath(here / one) for one in folders)
            all_folders += [here / one for one in folders]
            all_files += [here / one for one in files if not one.startswith(".")]
            looking.update()
    return Tree(folder, sorted(all_folders), sorted(all_files))


def _may_be_a_scan(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe or socket must not be opened: that would wait for ever
            return path.is_dir() or path.name.lower().endswith((".zip", *SUFFIXES))
        return kind_of(path) in ("zip", "volume", "picture") or bool(unread(path))
    except OSError:  # no permission: it is told of when it is read
        return True


def unread(path: Path) -> str:
    """Why a file that holds a scan, or may, is not read; empty for one that is, and for any other."""
    name = path.name.lower()
    if name.endswith(".img") and path.with_suffix(".hdr").is_file():
        return ""  # a half of what its .hdr names
    return next((reason for suffixes, reason in _UNREAD.items() if name.endswith(suffixes)), "")
