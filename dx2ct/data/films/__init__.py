"""Where films are listed: one reader for each kind of source in `style.films`, a module here and its line in READERS.

A reader says which films of a view there are; whether a file can be read is found out when it is (dx2ct/predict).
"""

from collections.abc import Callable, Sequence
from typing import Any

from dx2ct.config.style import FilmSource
from dx2ct.data.films import folder, openi, padchest
from dx2ct.data.films.film import Film, Listed

READERS: dict[str, Callable[[Any, str], Listed]] = {
    "padchest": padchest.listed,
    "openi": openi.listed,
    "folder": folder.listed,
}


def listed(sources: Sequence[FilmSource], view: str) -> Listed:
    """The films of a view of all sources in their order; InputError for a table or a folder that cannot be used."""
    found = [READERS[source.kind](source, view) for source in sources]
    films = [film for one in found for film in one.films]
    return Listed(films, [left for one in found for left in one.left_out])


__all__ = ["READERS", "Film", "Listed", "listed"]
