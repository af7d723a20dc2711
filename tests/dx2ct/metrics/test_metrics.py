from pathlib import Path
import socket
from urllib.error import URLError

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
import torch

from dx2ct.metrics import lpips as lpips_metric
from dx2ct.metrics import mae_hu, psnr_db, ssim
from dx2ct.metrics.lpips import load_lpips
from dx2ct.torchvision_guard import import_torchvision
from tests.dx2ct.tiny_run import body

GOLDEN = (36.876322, 0.959177, 27.222624)  # psnr_db, ssim, mae_hu of test_golden_values


def noisy(sigma_hu: float, seed: int = 0) -> np.ndarray:
    """A body with noise that stays inside the window."""
    noise = np.random.default_rng(seed).uniform(0, 1.5 * sigma_hu, body(0).shape)
    return body(0) + noise


def test_equal_volumes_are_perfect():
    truth = body(0)
    assert psnr_db(truth, truth, 2500) == np.inf
    assert ssim(truth, truth) == pytest.approx(1)
    assert mae_hu(truth, truth) == 0


def test_values_outside_the_window_do_not_count():
    padded, metal = body(0), body(0)
    padded[padded == -1024] = -3024
    metal[16, 16, 16], other = 3000, body(0)
    other[16, 16, 16] = 1476
    assert psnr_db(body(0), padded, 2500) == np.inf
    assert mae_hu(metal, other) == 0


def test_more_noise_is_worse():
    truth = body(0)
    levels = [noisy(sigma) for sigma in (5, 20, 80, 320)]
    psnr = [psnr_db(truth, image, 2500) for image in levels]
    similarity = [ssim(truth, image) for image in levels]
    error = [mae_hu(truth, image) for image in levels]
    assert psnr == sorted(psnr, reverse=True)
    assert similarity == sorted(similarity, reverse=True)
    assert error == sorted(error)


@settings(deadline=None, max_examples=20)
@given(st.floats(1, 400))
def test_a_constant_offset_has_closed_forms(offset_hu):
    truth = np.full((16, 16, 16), -500.0)
    assert mae_hu(truth, truth + offset_hu) == pytest.approx(offset_hu)
    assert psnr_db(truth, truth + offset_hu, 2500) == pytest.approx(20 * np.log10(2500 / offset_hu))


def test_peak_4095_adds_4_286_db():
    pair = body(0), noisy(50)
    assert psnr_db(*pair, 4095) - psnr_db(*pair, 2500) == pytest.approx(4.286, abs=5e-4)


def test_metrics_are_symmetric():
    truth, image = body(0), noisy(100)
    assert psnr_db(truth, image, 2500) == psnr_db(image, truth, 2500)
    assert ssim(truth, image) == pytest.approx(ssim(image, truth), abs=1e-12)
    assert mae_hu(truth, image) == mae_hu(image, truth)


def test_parity_with_scikit_image():
    truth, image = body(0), noisy(100)
    unit = [np.clip((volume + 1024.0) / 2500, 0, 1) for volume in (truth, image)]
    assert psnr_db(truth, image, 2500) == pytest.approx(peak_signal_noise_ratio(*unit, data_range=1), abs=1e-9)
    expected = structural_similarity(
        *unit, data_range=1, win_size=11, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(truth, image) == pytest.approx(expected, abs=1e-6)


def test_golden_values():
    truth = body(0)
    image = truth + 60 * np.sin(np.arange(truth.size).reshape(truth.shape))
    values = psnr_db(truth, image, 2500), ssim(truth, image), mae_hu(truth, image)
    assert values == pytest.approx(GOLDEN, abs=1e-5), "numbers changed: bump VERSION in score.py and rules/common.smk"


@pytest.fixture
def torch_home(tmp_path, monkeypatch) -> Path:
    """A cache without weights, and AlexNet alone: tests ask no network for VGG16's 528 MB."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(lpips_metric, "BACKBONES", {"lpips": ("alex", "AlexNet")})
    return tmp_path


BOTH = {"lpips": ("alex", "AlexNet"), "lpips_vgg": ("vgg", "VGG16")}


def write_random_alexnet(torch_home: Path) -> None:
    """Weights with the name and the shapes of AlexNet's; the classifier, which LPIPS does not use, is one zero."""
    torch.manual_seed(0)
    with torch.device("meta"):
        network = import_torchvision().models.alexnet(weights=None)
    state = {
        name: torch.randn(weight.shape) * 0.05 if name.startswith("features") else torch.zeros(1).expand(weight.shape)
        for name, weight in network.state_dict().items()
    }
    folder = torch_home / "hub/checkpoints"
    folder.mkdir(parents=True)
    torch.save(state, folder / "alexnet-owt-7be5be79.pth")


def test_lpips_runs_on_the_library_s_path(torch_home):
    write_random_alexnet(torch_home)
    lpips = load_lpips()["lpips"]
    truth = body(0)[:3]
    assert lpips(truth, truth) == 0
    assert 0 < lpips(truth, noisy(50)[:3]) < lpips(truth, noisy(500)[:3])
    assert lpips(truth[::-1], noisy(50)[2::-1]) == pytest.approx(lpips(truth, noisy(50)[:3]), rel=1e-4)


def test_one_backbone_without_weights_does_not_take_the_other_along(torch_home, monkeypatch, caplog):
    write_random_alexnet(torch_home)
    monkeypatch.setattr(lpips_metric, "BACKBONES", BOTH)
    monkeypatch.setattr(import_torchvision().models.VGG16_Weights.IMAGENET1K_V1.value, "url", "file:///nowhere.pth")
    assert list(load_lpips()) == ["lpips"]
    assert len(caplog.records) == 1 and "VGG16" in caplog.text and "AlexNet" not in caplog.text


def test_lpips_averages_over_all_slices(torch_home, monkeypatch):
    write_random_alexnet(torch_home)
    lpips = load_lpips()["lpips"]
    truth, image = body(0)[:5], noisy(200)[:5]
    each = [lpips(truth[i : i + 1], image[i : i + 1]) for i in range(5)]
    monkeypatch.setattr(lpips_metric, "SLICES_AT_ONCE", 2)
    assert lpips(truth, image) == pytest.approx(np.mean(each), rel=1e-4)


def test_lpips_without_weights_is_left_out_and_says_why_once(torch_home, monkeypatch, caplog):
    monkeypatch.setattr(lpips_metric, "BACKBONES", BOTH)

    def refuse(*_args, **_kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    assert load_lpips() == {}
    (record,) = caplog.records
    assert str(torch_home) in record.getMessage() and record.getMessage().count("no route to host") == 2
    assert "AlexNet" in record.getMessage() and "VGG16" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_lpips_with_a_broken_file_is_none_and_says_why(torch_home, caplog):
    folder = torch_home / "hub/checkpoints"
    folder.mkdir(parents=True)
    (folder / "alexnet-owt-7be5be79.pth").write_bytes(b"<html>404</html>")
    assert load_lpips() == {}
    assert len(caplog.records) == 1 and "\n" not in caplog.records[0].getMessage()


def test_a_silent_download_is_given_up(torch_home, monkeypatch, caplog):
    weights = import_torchvision().models.AlexNet_Weights.IMAGENET1K_V1.value
    monkeypatch.setattr(lpips_metric, "SILENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(weights, "url", f"http://127.0.0.1:{server.getsockname()[1]}/alexnet-owt-7be5be79.pth")
        assert load_lpips() == {}
    assert "timed out" in caplog.text
    assert socket.getdefaulttimeout() is None
