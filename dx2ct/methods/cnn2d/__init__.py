"""2DCNN: Henzler et al., Single-image Tomography, as X2CT-GAN's authors rebuilt it for chest X-rays."""

from dx2ct.methods.base import Method
from dx2ct.methods.cnn2d.settings import Cnn2dSettings

METHOD = Method(
    name="cnn2d",
    title="2DCNN",
    source="Single-image Tomography: 3D Volumes from 2D Cranial X-Rays, Computer Graphics Forum 2018",
    card="""\
2DCNN (Henzler et al. 2018, after X2CT-GAN's authors), built anew: one forward pass from one X-ray
({{ views | join(", ") }}).""",
    settings=Cnn2dSettings,
    implementation="dx2ct.methods.cnn2d.network:IMPLEMENTATION",
)
