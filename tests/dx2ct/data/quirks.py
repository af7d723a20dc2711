"""One pair of volumes, every rule: python -m tests.dx2ct.data.quirks prints the table of docs/metrics.md.

Degradations of a chest phantom that other rules print so differently, with a plain computation of each rule, slice by
slice and in float64, that shares no code with dx2ct.metrics.
"""

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

NAMES = ("blur 2", "blur 4", "blur 4, 2 % noise")


def chest(size: int) -> np.ndarray:
    """An ellipse of soft tissue with ribs, spine, heart and two lungs with vessels, in air of -1024 HU: (z, y, x)."""
    z, y, x = (np.mgrid[:size, :size, :size] - (size - 1) / 2) * (128 / size)
    hu = np.full((size,) * 3, -1024.0)
    hu[(x / 56) ** 2 + (y / 40) ** 2 < 1] = 40
    shell = (x / 52) ** 2 + (y / 36) ** 2
    hu[(shell < 1) & (shell > 0.88) & (np.mod(z + 0.3 * y, 16) < 6)] = 500
    for side in (-1, 1):
        lung = ((x - 24 * side) / 21) ** 2 + (y / 27) ** 2 + (z / 52) ** 2 < 1
        hu[lung] = -850
        hu[lung & (np.mod(x + z, 13) < 2) & (np.mod(y, 11) < 2)] = 30
    hu[((x - 8) / 15) ** 2 + ((y + 10) / 13) ** 2 + ((z + 20) / 18) ** 2 < 1] = 60
    hu[(x / 7) ** 2 + ((y - 30) / 7) ** 2 < 1] = 350
    return hu


def degraded(truth: np.ndarray) -> dict[str, np.ndarray]:
    """Blurred by 2 and 4 voxels of a grid of 128, the latter with noise of 2 % of the window; within the window."""
    scale = len(truth) / 128
    noise = np.random.default_rng(0).normal(0, 50, truth.shape)
    images = [gaussian_filter(truth, 2 * scale), gaussian_filter(truth, 4 * scale)]
    return dict(zip(NAMES, [np.clip(v, -1024, 1476) for v in (*images, images[1] + noise)], strict=True))


def by_hand(truth: np.ndarray, image: np.ndarray) -> dict[str, float]:
    """The rules of the matrix, each as its paper's code goes."""
    x, y = (truth + 1024) / 2500, (image + 1024) / 2500
    whole = (x * 2500).astype(np.int32).astype(float) - (y * 2500).astype(np.int32)
    gaussian = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    uniform = {"data_range": 1, "win_size": 7}
    three = [(np.moveaxis(whole, axis, 0), *(np.moveaxis(volume, axis, 0) for volume in (x, y))) for axis in range(3)]
    return {
        "psnr_db": 10 * np.log10(1 / np.mean((x - y) ** 2)),
        "x2ct_psnr_3d_db": _psnr(whole),
        "x2ct_psnr_db": float(np.mean([[_psnr(one) for one in error] for error, _, _ in three])),
        "perx2ct_psnr_db": float(np.mean([_psnr(whole[:, :, column]) for column in range(whole.shape[2])])),
        "perx2ct_ssim": structural_similarity(x, y, data_range=2, win_size=7),
        "x2ct_ssim": float(np.mean([_ssims(a, b, uniform) for _, a, b in three])),
        "ssim": structural_similarity(x, y, **gaussian),
        "ssim_slices": float(np.mean(_ssims(x, y, gaussian))),
    }


def _ssims(x: np.ndarray, y: np.ndarray, options: Mapping[str, float]) -> list[float]:
    return [structural_similarity(one, other, **options) for one, other in zip(x, y, strict=True)]


def _psnr(error: np.ndarray) -> float:
    mse = np.mean(error**2)
    return 100.0 if mse == 0 else float(20 * np.log10(4095 / np.sqrt(mse)))


def main() -> None:
    truth = chest(128)
    rows = {name: by_hand(truth, image) for name, image in degraded(truth).items()}
    heads = list(rows[NAMES[0]])
    print("| degradation | " + " | ".join(f"`{head}`" for head in heads) + " |\n" + "|---" * (len(heads) + 1) + "|")
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(f"{row[h]:.{3 if 'ssim' in h else 2}f}" for h in heads) + " |")


if __name__ == "__main__":
    main()
