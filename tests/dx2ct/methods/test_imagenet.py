"""ResNet-50's ImageNet weights: cached or downloaded, checked, and never asked for where nobody asks for them."""

import hashlib
from pathlib import Path
import urllib.error
import urllib.request

import pytest
import torch

from drr.errors import InputError
from dx2ct.config import check
from dx2ct.methods.layers import resnet as xray_encoder
from dx2ct.methods.layers.encoder_settings import EncoderSettings
from dx2ct.methods.layers.resnet import XrayEncoder
from dx2ct.torchvision_guard import import_torchvision

pytestmark = pytest.mark.slow

RESNET_50 = {"blocks": [3, 4, 6], "width_per_group": 64, "norm": "batch", "pretrained": True}
NAME = "resnet50-0676ba61.pth"


def encoder(**changes) -> XrayEncoder:
    return XrayEncoder(check(EncoderSettings, **RESNET_50 | changes))


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    """An empty TORCH_HOME on a machine without a network."""

    def offline(*_, **__):
        raise urllib.error.URLError("Network is unreachable")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", offline)
    monkeypatch.setattr(torch.hub, "urlopen", offline)
    return tmp_path


@pytest.fixture
def published(home: Path, monkeypatch) -> Path:
    """Other weights of ResNet-50's shape, published under a name with their own hash, in the cache."""
    torch.manual_seed(1)
    path = home / "hub/checkpoints/made.pth"
    path.parent.mkdir(parents=True)
    torch.save(import_torchvision().models.resnet50(weights=None).state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    path = path.rename(path.with_name(f"resnet50-{digest}.pth"))
    weights = import_torchvision().models.ResNet50_Weights.IMAGENET1K_V1
    monkeypatch.setattr(type(weights), "url", f"https://example.org/models/{path.name}", raising=False)
    return path


def test_the_cache_is_used_offline_and_the_weights_arrive(published: Path) -> None:
    torch.manual_seed(2)
    network = encoder()
    network.load_pretrained(True)
    state = torch.load(published, weights_only=True)
    trunk = network.trunk.state_dict()
    assert len(trunk) > 200 and all(torch.equal(trunk[name], state[name]) for name in trunk)


def test_a_damaged_cached_file_is_refused_by_its_hash(published: Path) -> None:
    content = bytearray(published.read_bytes())
    content[len(content) // 2] ^= 1  # a weight that differs in one bit would load without a word
    published.write_bytes(content)
    with pytest.raises(InputError, match=rf"{published.name}: SHA-256 begins with .* delete the file"):
        encoder().load_pretrained(True)


def test_a_file_under_the_real_name_must_be_the_real_file(home: Path) -> None:
    (home / "hub/checkpoints").mkdir(parents=True)
    (home / "hub/checkpoints" / NAME).write_bytes(b"not found")
    with pytest.raises(InputError, match=r"0676ba61\.pth: SHA-256 begins with [0-9a-f]{8}, not 0676ba61"):
        encoder().load_pretrained(True)


def test_without_a_network_one_line_says_what_to_do(home: Path) -> None:
    with pytest.raises(InputError) as caught:
        encoder().load_pretrained(True)
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(home / "hub/checkpoints"), NAME, "TORCH_HOME", "model.encoder.pretrained: false", "unreachable"):
        assert word in message


@pytest.mark.parametrize("change", [{"norm": "group"}, {"blocks": [1, 1, 1]}, {"width_per_group": 32}], ids=str)
def test_another_network_is_refused_before_anything_is_downloaded(home: Path, change) -> None:
    with pytest.raises(InputError, match="needs ResNet-50"):
        encoder(**change).load_pretrained(True)


def test_weights_may_be_a_file_of_ones_own(published: Path, monkeypatch) -> None:
    monkeypatch.setattr(xray_encoder, "imagenet_weights", None)
    network = encoder(pretrained=str(published))
    network.load_pretrained(str(published))
    state = torch.load(published, weights_only=True)
    assert all(torch.equal(value, state[name]) for name, value in network.trunk.state_dict().items())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no weights to read"),
        (b"garbage", "no weights to read"),
        (torch.zeros(3), "no weights by name"),
        ({"conv1.weight": torch.zeros(1)}, "not the weights of a ResNet-50"),
    ],
    ids=["missing", "damaged", "a tensor", "another network"],
)
def test_a_file_that_is_no_resnet50_is_refused_in_one_line(content, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=words) as caught:
        encoder().load_pretrained(str(path))
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_not_pretrained_asks_nobody(home: Path, monkeypatch) -> None:
    monkeypatch.setattr(xray_encoder, "imagenet_weights", None)
    assert len(encoder(pretrained=False)(torch.rand(1, 32, 32))) == 3
    assert not (home / "hub").exists()
