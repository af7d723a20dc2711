"""Open-i, the chest films of Indiana University: PNGs and indiana_projections.csv with uid, filename, projection.

Its frontal films are PA and, some, AP: the table does not tell them apart.
"""

from pathlib import Path

from drr.errors import InputError
from dx2ct.config.style import OpenISource
from dx2ct.data.films.film import Film, Listed
from dx2ct.data.tables import read_table

TABLE = "indiana_projections.csv"
PROJECTIONS = {"pa": "Frontal", "lateral": "Lateral"}
_REMEDY = f"give {TABLE} as style.films[].table"


def listed(source: OpenISource, view: str) -> Listed:
    """The films of a view; InputError for a table that cannot be used. A picture that is not there is left out."""
    folder = Path(source.path)
    tables = [Path(source.table)] if source.table else sorted(folder.rglob(TABLE))
    if not tables:
        raise InputError(f"{folder}: no {TABLE} below it: {_REMEDY}")
    rows = read_table(tables[0], _REMEDY, columns=("uid", "filename", "projection"))
    pictures = {path.name: path for path in sorted(folder.rglob("*.png"))}
    found = Listed()
    for row in rows:
        if row["projection"] == PROJECTIONS.get(view):
            name = row["filename"]
            if name in pictures:
                found.films.append(Film(name, pictures[name], f"openi {row['uid']}"))
            else:
                found.left_out.append((name, "no such file"))
    return found
