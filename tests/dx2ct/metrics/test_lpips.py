"""LPIPS with weights, without them, and with a server that is silent."""

import hashlib
from pathlib import Path
import socket
from urllib.error import URLError

import numpy as np
import pytest
import torch

from dx2ct.data.planes import to_plane
from dx2ct.metrics import lpips as lpips_metric
from dx2ct.metrics import perceptual
from dx2ct.metrics.lpips import load_lpips
from dx2ct.metrics.scale import unit
from dx2ct.torchvision_guard import import_torchvision
from tests.dx2ct.evaluations import evaluation
from tests.fabricate import body

pytestmark = pytest.mark.slow

BOTH = lpips_metric.BACKBONES


def noisy(sigma_hu: float) -> np.ndarray:
    """A body with noise that stays inside the window."""
    return body(0) + np.random.default_rng(0).uniform(0, 1.5 * sigma_hu, body(0).shape)


@pytest.fixture
def torch_home(tmp_path, monkeypatch) -> Path:
    """A cache without weights, and AlexNet alone: tests ask no network for VGG16's 528 MB."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(lpips_metric, "BACKBONES", {"alex": "AlexNet"})
    return tmp_path


def publish_random_alexnet(torch_home: Path, monkeypatch) -> Path:
    """Weights of AlexNet's shapes, published under a name with their own hash, in the cache.

    The classifier, which LPIPS does not use, is one zero.
    """
    torch.manual_seed(0)
    with torch.device("meta"):
        network = import_torchvision().models.alexnet(weights=None)
    state = {
        name: torch.randn(weight.shape) * 0.05 if name.startswith("features") else torch.zeros(1).expand(weight.shape)
        for name, weight in network.state_dict().items()
    }
    folder = torch_home / "hub/checkpoints"
    folder.mkdir(parents=True)
    torch.save(state, folder / "made.pth")
    digest = hashlib.sha256((folder / "made.pth").read_bytes()).hexdigest()[:8]
    path = (folder / "made.pth").rename(folder / f"alexnet-owt-{digest}.pth")
    weights = import_torchvision().models.AlexNet_Weights.IMAGENET1K_V1.value
    monkeypatch.setattr(weights, "url", f"https://example.org/models/{path.name}")
    return path


def test_weights_in_the_cache_that_are_not_the_published_ones_print_no_number(torch_home, monkeypatch, caplog):
    """One bit of one weight: it would load without a word, and every LPIPS would be another."""
    path = publish_random_alexnet(torch_home, monkeypatch)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert load_lpips() == {}
    assert f"{path}: SHA-256 begins with" in caplog.text and "delete the file" in caplog.text


def test_lpips_runs_on_the_library_s_path(torch_home, monkeypatch):
    publish_random_alexnet(torch_home, monkeypatch)
    lpips = load_lpips()["alex"]
    truth = body(0)[:3]
    assert lpips(truth, truth) == 0
    assert 0 < lpips(truth, noisy(50)[:3]) < lpips(truth, noisy(500)[:3])
    assert lpips(truth[::-1], noisy(50)[2::-1]) == pytest.approx(lpips(truth, noisy(50)[:3]), rel=1e-4)


class Spy(torch.nn.Module):
    """A network whose distance is the mean absolute difference; it keeps what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[torch.Tensor] = []

    def forward(self, truth: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        self.seen += [truth, image]
        return (truth - image).abs().mean((1, 2, 3), keepdim=True)


def test_perx2ct_s_network_is_vgg16_and_sees_0_to_1(monkeypatch):
    """By hand: 250 HU are 0.1 of a window that is [0, 1], and 0.2 of one that is [-1, 1]."""
    spies = {"alex": Spy(), "vgg": Spy()}
    monkeypatch.setattr(lpips_metric, "_load_network", spies.__getitem__)
    lpips = load_lpips()
    truth = np.linspace(-1024, 1226, 4 * 5 * 6).reshape(4, 5, 6)
    seen = evaluation(truth, truth + 250, "coronal", lpips=lpips)
    assert perceptual.perx2ct_lpips(seen) == pytest.approx(0.1, abs=1e-6)
    assert perceptual.lpips_vgg(seen) == pytest.approx(0.2, abs=1e-6)
    assert not spies["alex"].seen, "PerX2CT's backbone is VGG16"
    (unmapped, above, mapped, _) = spies["vgg"].seen
    expected = (to_plane(truth, "coronal") + 1024) / 2500
    for channel in range(3):
        np.testing.assert_allclose(unmapped[:, channel], expected, atol=1e-6)
        np.testing.assert_allclose(mapped[:, channel], 2 * expected - 1, atol=1e-6)
    assert (above.min(), above.max()) == pytest.approx((0.1, 1.0))
    outside = evaluation(np.full((3, 5, 6), 2000.0), np.full((3, 5, 6), 2000.0), lpips=lpips)
    assert perceptual.perx2ct_lpips(outside) == pytest.approx((2000 + 1024) / 2500 - 1), "the truth alone is clipped"


def test_perx2ct_s_scale_is_the_library_s_without_its_normalization(torch_home, monkeypatch):
    """The library maps [0, 1] to [-1, 1] when it is asked to; with AlexNet in the place of VGG16, which is large."""
    publish_random_alexnet(torch_home, monkeypatch)
    monkeypatch.setitem(lpips_metric.DEFINITIONS, "perx2ct", ("alex", lpips_metric.DEFINITIONS["perx2ct"][1]))
    lpips, network = load_lpips(), lpips_metric._load_network("alex")
    stacks = body(0)[:3], noisy(200)[:3]
    pair = [torch.from_numpy(unit(stack)).unsqueeze(1).expand(-1, 3, -1, -1) for stack in stacks]
    with torch.inference_mode():
        unmapped, mapped = (float(network(*pair, normalize=normalize).mean()) for normalize in (False, True))
    assert lpips["perx2ct"](*stacks) == pytest.approx(unmapped, rel=1e-4)
    assert lpips["alex"](*stacks) == pytest.approx(mapped, rel=1e-4)
    assert abs(unmapped - mapped) > 0.05 * mapped


def test_one_backbone_without_weights_does_not_take_the_other_along(torch_home, monkeypatch, caplog):
    publish_random_alexnet(torch_home, monkeypatch)
    monkeypatch.setattr(lpips_metric, "BACKBONES", BOTH)
    monkeypatch.setattr(import_torchvision().models.VGG16_Weights.IMAGENET1K_V1.value, "url", "file:///nowhere.pth")
    assert list(load_lpips()) == ["alex"]
    assert len(caplog.records) == 1 and "VGG16" in caplog.text and "AlexNet" not in caplog.text


def test_lpips_averages_over_all_slices(torch_home, monkeypatch):
    publish_random_alexnet(torch_home, monkeypatch)
    lpips = load_lpips()["alex"]
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
