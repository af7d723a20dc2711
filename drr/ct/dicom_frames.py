"""Enhanced (multi-frame) CT: the functional groups of every frame as if it were a slice of its own."""

from collections.abc import Iterator

from pydicom.dataset import Dataset, FileDataset

from drr.ct.dicom_parse import Budget, items, label
from drr.errors import InputError

# DICOM PS3.3 A.38.1: each functional group is a sequence of one item, shared by all frames or a frame's own.
_GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
}
# PS3.3 C.7.6.16.2.2: what a frame calls otherwise than a single slice does.
_CONTENT = {
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
}
_FRAME_CONTENT = "FrameContentSequence"
_FRAME_TYPE = "CTImageFrameTypeSequence"
_SAME_FOR_ALL = (
    *("Rows", "Columns", "BitsStored", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("ContrastBolusAgent", "ContrastBolusAgentSequence", "LossyImageCompression", "FrameOfReferenceUID", "ImageType"),
)


def frame_headers(header: FileDataset, count: int) -> Iterator[Dataset | None]:
    """One header a frame, with the elements that a single-slice CT has; None for a localizer.

    Raises InputError when there is not one functional group for every frame.
    """
    budget = Budget()
    own = items(header, "PerFrameFunctionalGroupsSequence", budget)
    shared = items(header, "SharedFunctionalGroupsSequence", budget)
    if len(own) != count or len(shared) > 1:
        raise InputError(f"{len(own)} functional groups for {count} frames: the header is damaged")
    for_all = _groups(shared[0], budget) if len(shared) else {}
    for one in own:
        groups = for_all | _groups(one, budget)
        if "LOCALIZER" in (groups.get(_FRAME_TYPE, Dataset()).get("FrameType") or ()):
            yield None
            continue
        frame = Dataset()
        for keyword in _SAME_FOR_ALL:
            if keyword in header:
                frame[keyword] = header[keyword]
        for name, keywords in _GROUPS.items():
            for keyword in keywords:
                if keyword in groups.get(name, ()):
                    frame[keyword] = groups[name][keyword]
        content = groups.get(_FRAME_CONTENT, Dataset())
        for theirs, ours in _CONTENT.items():
            setattr(frame, ours, label(content, theirs) or None)
        yield frame


def _groups(place: Dataset, budget: Budget) -> dict[str, Dataset]:
    found = {name: items(place, name, budget) for name in (*_GROUPS, _FRAME_TYPE, _FRAME_CONTENT)}
    return {name: group[0] for name, group in found.items() if len(group)}
