"""Every metric, one line each; what names or shows metrics is made from this list.

A new one is a function of an `Evaluation` and a line here, with "module:function" where its file is new. Headline
metrics stand first.
"""

from collections.abc import Iterable, Sequence
import re

from dx2ct.metrics import perceptual, published, strict, tissue, xrays
from dx2ct.metrics.evaluation import Evaluation
from dx2ct.metrics.metric import ALL_SLICES, BODY, FILM, Metric, SLICES, TISSUE, VOLUME, XRAY

WANG = "strict; Wang et al., 2004"
ZHANG = "strict; Zhang et al., 2018"
X2CT, PERX2CT = "X2CT-GAN, 2019", "PerX2CT, 2023"
OURS = "this project"
DANZER = "Danzer, 1919; here of a volume"
METRICS: tuple[Metric, ...] = (
    Metric("psnr_db", "PSNR", "dB", +1, VOLUME, strict.psnr_db, "strict", digits=2, headline=True),
    Metric("ssim", "SSIM", "", +1, VOLUME, strict.ssim, WANG, headline=True),
    Metric("lpips", "LPIPS", "", -1, SLICES, perceptual.lpips, ZHANG, headline=True),
    Metric("mae_hu", "MAE", "HU", -1, VOLUME, strict.mae_hu, "strict", digits=1, headline=True),
    Metric("ssim_slices", "SSIM of slices", "", +1, SLICES, strict.ssim_slices, WANG),
    Metric("mae_body_hu", "body MAE", "HU", -1, BODY, strict.mae_body_hu, "strict", digits=1),
    Metric("x2ct_psnr_db", "X2CT PSNR", "dB", +1, ALL_SLICES, published.x2ct_psnr_db, X2CT, digits=2),
    Metric("x2ct_psnr_3d_db", "X2CT PSNR-3D", "dB", +1, VOLUME, published.x2ct_psnr_3d_db, X2CT, digits=2),
    Metric("x2ct_ssim", "X2CT SSIM", "", +1, ALL_SLICES, published.x2ct_ssim, X2CT),
    Metric("perx2ct_psnr_db", "PerX2CT PSNR", "dB", +1, SLICES, published.perx2ct_psnr_db, PERX2CT, digits=2, paper=1),
    Metric("perx2ct_ssim", "PerX2CT SSIM", "", +1, VOLUME, published.perx2ct_ssim, PERX2CT, paper=2),
    Metric("perx2ct_lpips", "PerX2CT LPIPS", "", -1, SLICES, perceptual.perx2ct_lpips, PERX2CT, paper=3),
    Metric("lpips_vgg", "LPIPS, VGG16", "", -1, SLICES, perceptual.lpips_vgg, ZHANG),
    Metric("dice_{tissue}", "Dice, {tissue}", "", +1, TISSUE, tissue.dice, OURS),
    Metric("lung_volume_error_ml", "lung volume error", "ml", 0, TISSUE, tissue.lung_volume_error_ml, OURS, digits=0),
    Metric("bias_{tissue}_hu", "bias, {tissue}", "HU", 0, TISSUE, tissue.bias_hu, OURS, digits=1),
    Metric("sharpness", "sharpness", "", 0, VOLUME, "dx2ct.metrics.sharpness:sharpness", OURS),
    Metric("reprojection_{view}", "reprojection, {view}", "", -1, XRAY, xrays.reprojection, OURS, digits=4),
    Metric("reprojection_floor_{view}", "floor, {view}", "", 0, XRAY, xrays.reprojection_floor, OURS, digits=4),
)

# Of reconstructions of films against a CT that lies elsewhere and was taken at another time: unaligned.FilmCase.
_UNALIGNED = "dx2ct.metrics.unaligned"
FILM_METRICS: tuple[Metric, ...] = tuple(
    Metric(name, title, unit, better, FILM, f"{_UNALIGNED}:{function}", source, digits)
    for name, title, unit, better, function, source, digits in (
        ("lung_volume_ct_ml", "lungs of the CT", "ml", 0, "lung_volume_ct_ml", OURS, 0),
        ("lung_volume_error_ml", "lung volume error", "ml", 0, "lung_volume_error_ml", OURS, 0),
        ("lung_volume_error_percent", "lung volume error", "%", 0, "lung_volume_error_percent", OURS, 1),
        ("heart_width_error_mm", "heart width error", "mm", 0, "heart_width_error_mm", OURS, 1),
        ("ctr_ct", "cardiothoracic ratio of the CT", "", 0, "ctr_ct", DANZER, 3),
        ("ctr_error", "cardiothoracic ratio error", "", 0, "ctr_error", DANZER, 3),
        ("dice_lung_registered", "Dice, lungs registered rigidly", "", +1, "dice_lung_registered", OURS, 3),
        ("unexplained_{view}", "unexplained, {view}", "", -1, "unexplained", OURS, 3),
    )
)


def measured(views: Sequence[str]) -> list[Metric]:
    """The metrics of scans with X-rays of these views, one for each column of scores."""
    return [one for metric in METRICS for one in metric.each(views)]


def views_in(columns: Iterable[str]) -> tuple[str, ...]:
    """The views whose X-rays scores with these columns were measured on."""
    names = sorted((metric.name for metric in METRICS if "{view}" in metric.name), key=len, reverse=True)
    patterns = [re.compile(re.escape(name).replace(re.escape("{view}"), "(.+)")) for name in names]
    found = [next(filter(None, (pattern.fullmatch(column) for pattern in patterns)), None) for column in columns]
    return tuple(dict.fromkeys(match[1] for match in found if match))


def score(evaluation: Evaluation) -> dict[str, float]:
    """Every metric of one reconstruction, by column."""
    return {metric.name: metric.measure(evaluation) for metric in measured(tuple(evaluation.ct.xrays))}
