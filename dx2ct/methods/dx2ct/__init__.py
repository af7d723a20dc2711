"""DX2CT, the method of the paper (ICASSP 2025): a diffusion model of slices with conditions by 3DPQT."""

from dx2ct.methods.base import Method
from dx2ct.methods.dx2ct.settings import Dx2ctSettings

METHOD = Method(
    name="dx2ct",
    title="DX2CT",
    source="DX2CT: Diffusion Model for 3D CT Reconstruction from Bi or Mono-planar 2D X-ray(s), ICASSP 2025",
    card="""\
DX2CT: a conditional diffusion model that reconstructs a chest CT slice by slice from {{ views | length }}
X-ray{{ "s" if views | length > 1 }} ({{ views | join(", ") }}).
{{ "The 3D Positional Query Transformer (3DPQT) brings the X-rays' features to the slice's position"
if query_transformer else "Without 3DPQT: an ablation" }};
the condition enters the U-Net by {{ conditioning }}; the network predicts {{ prediction }}.""",
    settings=Dx2ctSettings,
    implementation="dx2ct.methods.dx2ct.method:IMPLEMENTATION",
    samples=True,
    may_change=("model.encoder.pretrained", "model.unet.dropout"),
)
