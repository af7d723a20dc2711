"""X2CT-GAN (Ying et al., CVPR 2019) and, without its discriminator, X2CT-CNN."""

from dx2ct.methods.base import Method
from dx2ct.methods.x2ctgan.settings import X2ctganSettings

METHOD = Method(
    name="x2ctgan",
    title="X2CT-GAN, X2CT-CNN",
    source="X2CT-GAN: Reconstructing CT from Biplanar X-Rays with Generative Adversarial Networks, CVPR 2019",
    card="""\
{{ "X2CT-GAN" if discriminator else "X2CT-CNN" }} (Ying et al., CVPR 2019), built anew: one forward pass from
{{ views | length }} X-ray{{ "s" if views | length > 1 }} ({{ views | join(", ") }}).""",
    settings=X2ctganSettings,
    implementation="dx2ct.methods.x2ctgan.method:IMPLEMENTATION",
    may_change=(
        "run.discriminator",
        "model.dropout",
        "model.discriminator_channels",
        "model.discriminator_layers",
        "model.gan_weight",
        "model.voxel_weight",
        "model.projection_weight",
    ),
)
