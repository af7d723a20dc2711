"""PerX2CT and PerX2CT_global (Kyung et al., ICASSP 2023)."""

from dx2ct.methods.base import Method
from dx2ct.methods.perx2ct.settings import Perx2ctSettings

METHOD = Method(
    name="perx2ct",
    title="PerX2CT, PerX2CT_global",
    source="Perspective Projection-Based 3D CT Reconstruction from Biplanar X-rays, ICASSP 2023",
    card="""\
{{ "PerX2CT_global" if global_features else "PerX2CT" }} (Kyung et al., ICASSP 2023), built anew, camera `{{ camera }}`:
one forward pass a slice from {{ views | length }} X-ray{{ "s" if views | length > 1 }} ({{ views | join(", ") }}).""",
    settings=Perx2ctSettings,
    implementation="dx2ct.methods.perx2ct.network:IMPLEMENTATION",
    may_change=("run.zoom_share", "model.encoder.pretrained", "model.lpips_weight"),
)
