"""What a CT may be, whatever it is stored in. Apart from the readers, so that a volume file needs no DICOM library."""

MAX_HU = 2**15 - 1
MAX_VOXELS = 2**30
MIN_SLICES = 10
# The largest distance between neighbours that is filled: LIDC-IDRI-0514, a part of the published splits, has 38 mm.
MAX_HOLE_MM = 40.0
