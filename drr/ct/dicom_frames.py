"""Enhanced (multi-frame) CT: the functional groups of every frame as if it were a slice of its own."""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset, FileDataset

from drr.errors import InputError

# DICOM PS3.3 A.38.1: each functional group is a sequence of one item, shared by all frames or a frame's own.
_GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
}
_SAME_FOR_ALL = ("Rows", "Columns", "BitsStored", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit")


def frame_headers(header: FileDataset, count: int) -> Iterator[Dataset | None]:
    """One header a frame, with the elements that a single-slice CT has; None for a localizer.

    Raises InputError when there is not one functional group for every frame.
    """
    own: Sequence[Dataset] = header.get("PerFrameFunctionalGroupsSequence") or ()
    shared: Sequence[Dataset] = header.get("SharedFunctionalGroupsSequence") or ()
    if len(own) != count or len(shared) > 1:
        raise InputError(f"{len(own)} functional groups for {count} frames: the header is damaged")
    for group in own:
        places = [group, *shared]
        if "LOCALIZER" in _frame_type(places):
            yield None
            continue
        frame = Dataset()
        for keyword in _SAME_FOR_ALL:
            if keyword in header:
                frame[keyword] = header[keyword]
        for sequence, keywords in _GROUPS.items():
            item = _item(places, sequence)
            for keyword in keywords:
                if item is not None and keyword in item:
                    frame[keyword] = item[keyword]
        yield frame


def _frame_type(places: Sequence[Dataset]) -> Sequence[str]:
    item = _item(places, "CTImageFrameTypeSequence")
    return () if item is None else item.get("FrameType") or ()


def _item(places: Sequence[Dataset], sequence: str) -> Dataset | None:
    for place in places:
        items: Sequence[Dataset] = place.get(sequence) or ()
        if len(items):
            return items[0]
    return None
