"""CT volumes and X-ray physics: read a volume, place a source and a detector, render line integrals.

drr.render(volume, views) and drr.backproject(images, views, grid) are the ray-caster; see drr.caster.
"""

from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from drr.caster import backproject, render

__all__ = ["backproject", "render"]


def __getattr__(name: str) -> Any:
    # Lazily, because `import drr.errors` must not cost NumPy and SimpleITK.
    if name in __all__:
        from drr import caster

        return getattr(caster, name)
    raise AttributeError(f"module 'drr' has no attribute {name!r}")
