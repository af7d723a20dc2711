"""lift, this project's 3D method: X-ray features lifted into the patient by the true geometry."""

from dx2ct.methods.base import Method
from dx2ct.methods.lift.settings import LiftSettings

METHOD = Method(
    name="lift",
    title="lift",
    source="this project; lifting as in the literature on camera views, an optimizer for matrices (Jordan et al. 2024)",
    card="""\
lift: X-ray features lifted into the patient by the true geometry at four scales, and a 3D U-Net that corrects the mean
training volume; one forward pass from any of {{ views | length }} X-ray{{ "s" if views | length > 1 }}
({{ views | join(", ") }}).""",
    settings=LiftSettings,
    implementation="dx2ct.methods.lift.method:IMPLEMENTATION",
    any_view=True,
    may_change=("run.drop_views", "model.l1_weight", "model.nodule_weight", "model.checkpoint"),
)
