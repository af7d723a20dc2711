"""SART from an empty volume or from the mean training volume: a classical method."""

from dx2ct.methods.base import Method
from dx2ct.methods.classical.settings import SartSettings

METHOD = Method(
    name="sart",
    title="SART",
    source="Andersen and Kak, Simultaneous algebraic reconstruction technique, Ultrasonic Imaging 1984",
    card="""\
SART, {{ iterations }} iterations from {{ "the mean training volume" if start == "mean" else "an empty volume" }}, of
{{ views | length }} X-ray{{ "s" if views | length > 1 }} ({{ views | join(", ") }}): a classical method. What it
learns is one line from attenuation to HU.""",
    settings=SartSettings,
    implementation="dx2ct.methods.classical.method:SART",
)
