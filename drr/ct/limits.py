"""What a CT may be, whatever it is stored in. Apart from the readers, so that a volume file needs no DICOM library."""

SUFFIXES = (".mha", ".mhd", ".nii", ".nii.gz", ".hdr", ".nrrd", ".nhdr")
"""Names of volume files that are read; of .mhd, .nhdr and .hdr the voxels lie in a file beside them."""

MAX_HU = 2**15 - 1
MAX_VOXELS = 2**30
MIN_SLICES = 10
# The largest distance between neighbours that is filled: LIDC-IDRI-0514, a part of the published splits, has 38 mm.
MAX_HOLE_MM = 40.0
# Of a chest's box, along each of its axes: an infant's is longer, a body's shorter. What lies outside is in cm or m.
MIN_CHEST_MM, MAX_CHEST_MM = 100.0, 2500.0
