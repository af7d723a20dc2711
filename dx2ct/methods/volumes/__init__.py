"""Anybody's volumes as a run: reconstructions that were made elsewhere, checked, scored and shown like any other.

A row names them by a path with `{scan}` in it and, where there is one file a plane, `{plane}`:

    theirs: {method: volumes, path: /results/theirs/{scan}.nii.gz}
"""

from dx2ct.methods.base import Method
from dx2ct.methods.volumes.settings import files_of, VolumesSettings

METHOD = Method(
    name="volumes",
    title="volumes made elsewhere",
    source="the row's own",
    card="""\
Volumes that were made elsewhere, read from `{{ path }}`. This project has trained nothing here and knows their method
by name alone.
{{ "It was trained on: " ~ trained_on if trained_on else "What it was trained on was not said." }}""",
    settings=VolumesSettings,
    implementation="dx2ct.methods.volumes.method:IMPLEMENTATION",
    files=files_of,
)
