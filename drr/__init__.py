"""CT volumes and X-ray physics: read a volume, place a source and a detector, project and back-project.

    read_ct      a CT from DICOM, NIfTI, MetaImage or NRRD as a Volume
    ConeBeam     tube and detector, PRESETS has published ones; its views place them around a patient
    render       line integrals of a CT in some views (digitally reconstructed radiographs)
    Projector    the same as a linear operator of attenuation, with its transpose, for arrays and tensors
    backproject  the transpose in a single call

For research only. Errors of input are drr.errors.InputError, one line each.
"""

from importlib import import_module
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from drr.caster import backproject, render
    from drr.ct.read import read_ct
    from drr.geometry import ConeBeam, PRESETS, View
    from drr.projector import Projector
    from drr.volume import Volume

__all__ = ["PRESETS", "ConeBeam", "Projector", "View", "Volume", "backproject", "read_ct", "render"]
_MODULES = {
    "PRESETS": "drr.geometry",
    "ConeBeam": "drr.geometry",
    "Projector": "drr.projector",
    "View": "drr.geometry",
    "Volume": "drr.volume",
    "backproject": "drr.caster",
    "read_ct": "drr.ct.read",
    "render": "drr.caster",
}


def __getattr__(name: str) -> Any:
    # Lazily, because `import drr.errors` must not cost NumPy and SimpleITK.
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'drr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
