"""Back-projection of the X-rays, plain or filtered: a classical method."""

from dx2ct.methods.base import Method
from dx2ct.methods.classical.settings import BackprojectionSettings

METHOD = Method(
    name="backprojection",
    title="back-projection",
    source="Feldkamp, Davis and Kress, Practical cone-beam algorithm, JOSA A 1984",
    card="""\
Back-projection ({{ "ramp-filtered" if filter == "ramp" else "unfiltered" }}) of {{ views | length }}
X-ray{{ "s" if views | length > 1 }} ({{ views | join(", ") }}): a classical method. What it learns is one line from
attenuation to HU.""",
    settings=BackprojectionSettings,
    implementation="dx2ct.methods.classical.method:BACKPROJECTION",
)
