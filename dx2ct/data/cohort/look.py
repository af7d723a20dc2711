"""The survey itself: every place and every listed scan is looked at once."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from drr.progress import bar
from dx2ct.data.cohort.apart import scans_at_each
from dx2ct.data.cohort.listed import Listed
from dx2ct.data.cohort.listing import Listing
from dx2ct.data.cohort.places import Found, left_out_at, Scan
from dx2ct.data.cohort.whole import whole_series


def everything(listing: Listing) -> list[Found]:
    """What there is in the places of a listing and of the scans that it names, faulty rows included."""
    places: list[Path | Listed] = [*listing.places, *listing.listed]
    found: list[list[Found]] = []
    with bar("survey", "place", len(places)) as shown_bar:
        for ones in scans_at_each(places):
            found.append(ones)
            shown_bar.update()
    anywhere, listed = found[: len(listing.places)], found[len(listing.places) :]
    return [*listing.left_out, *whole_series(_flat(anywhere)), *_once(_flat(listed))]


def _flat(found: Iterable[Sequence[Found]]) -> list[Found]:
    return [one for ones in found for one in ones]


def _once(found: Sequence[Found]) -> Iterator[Found]:
    """Listed scans, a DICOM series only where it is listed first: two rows may name copies of one."""
    first: dict[str, Path] = {}
    for one in found:
        if isinstance(one, Scan) and one.listed and one.series_uid:
            path = first.setdefault(one.series_uid, one.path)
            yield one if path is one.path else left_out_at(one.listed, f"the same series as {path}")
        else:
            yield one
