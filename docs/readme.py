"""Draw docs/readme.png: X-rays of a patient, the CT, and what two networks made of the X-rays without having seen it.

    python docs/readme.py REAL SCAN OURS THEIRS docs/readme.png

REAL is the folder in which workflow/config/real.yaml ran; OURS and THEIRS are folders of trainings that left SCAN out.
The committed picture is R01-001 of NSCLC Radiogenomics (CC BY 3.0, TCIA, Bakr et al. 2017).
"""

from pathlib import Path
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from dx2ct.config import SamplingOptions
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.data.window import windowed
from dx2ct.predict.model import load

RANGE_HU = 2500.0


def main(real: str, scan: str, ours: str, theirs: str, output: str) -> None:
    """Write the picture."""
    data = Path(real) / "data"
    truth = read_stack(data, scan, "axial")
    xrays = read_xrays(data, scan, ("pa", "lateral"))
    columns = [("CT", truth)]
    for folder in (ours, theirs):
        model = load(Path(folder), "cpu", 1)
        answer = model.trained.reconstruct(xrays, model.trained.inputs.views, SamplingOptions(steps=1)).mean
        error = np.mean((windowed(answer) - windowed(truth)) ** 2)
        name = model.method.title.replace("PerX2CT, PerX2CT_global", "PerX2CT")
        columns.append((f"{name}, {10 * np.log10(RANGE_HU**2 / error):.1f} dB", answer))
    figure, axes = plt.subplots(2, 4, figsize=(10, 5.3), facecolor="black")
    for axis, (view, image) in zip(axes[:, 0], xrays.items(), strict=True):
        axis.imshow(image, cmap="gray")
        axis.set_title("PA X-ray" if view == "pa" else "lateral X-ray", color="white", fontsize=10)
    for (top, bottom), (title, hu) in zip(axes[:, 1:].T, columns, strict=True):
        middle = len(hu) // 2
        top.imshow(hu[::-1, middle], cmap="gray", vmin=-1000, vmax=400, interpolation="bilinear")
        bottom.imshow(hu[middle], cmap="gray", vmin=-1000, vmax=400, interpolation="bilinear")
        top.set_title(title, color="white", fontsize=10)
    for axis in axes.flat:
        axis.axis("off")
    figure.tight_layout(pad=0.4)
    figure.savefig(output, dpi=80, facecolor="black")


if __name__ == "__main__":
    main(*sys.argv[1:])
