"""Films of one view in a folder of one's own; every file is taken for a patient of its own."""

from pathlib import Path

from drr.errors import InputError
from dx2ct.config.style import FolderSource
from dx2ct.data.films.film import Film, Listed


def listed(source: FolderSource, view: str) -> Listed:
    """The files that the pattern takes, by name; InputError for a folder without any."""
    if source.view != view:
        return Listed()
    folder = Path(source.path)
    paths = [path for path in sorted(folder.rglob(source.files)) if path.is_file() and not path.name.startswith(".")]
    if not paths:
        raise InputError(f"{folder}: no film {source.files} there: mend style.films[].path or files")
    names = [str(path.relative_to(folder)) for path in paths]
    return Listed([Film(name, path, f"folder {name}") for name, path in zip(names, paths, strict=True)])
