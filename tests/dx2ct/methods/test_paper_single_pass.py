"""The methods of one forward pass in paper.yaml against what their descriptions state, on shapes alone."""

from typing import Any

import pytest
import torch
from torch import nn

from bench.run_settings import run_settings
from dx2ct.methods import method_named
from dx2ct.methods.single_pass import SinglePass
from dx2ct.profiling.single_pass import costs, count
from dx2ct.torchvision_guard import import_torchvision


def paper(run: str) -> tuple[SinglePass[Any, Any], Any]:
    """The implementation and the settings of a run of paper.yaml."""
    settings = run_settings("workflow/config/paper.yaml", run)
    implementation = method_named(settings.run.method).implement()
    assert isinstance(implementation, SinglePass)
    return implementation, settings


def network(run: str) -> nn.Module:
    method, settings = paper(run)
    with torch.device("meta"):
        built: nn.Module = method.network(settings)
    return built


@pytest.mark.parametrize(("run", "channels"), [("perx2ct", 1087), ("perx2ct_pa", 575), ("perx2ct_global", 1599)])
def test_channels_of_perx2ct(run: str, channels: int) -> None:
    decoder = network(run).decoder
    assert decoder.first.in_channels == channels and decoder.first.out_channels == 512
    assert decoder.last[-1].in_channels == 128 and decoder.last[-1].out_channels == 3


@pytest.mark.slow
def test_the_encoder_of_perx2ct_is_resnet_101() -> None:
    with torch.device("meta"):
        whole = import_torchvision().models.resnet101()
    for run, layers in (("perx2ct", ("conv1", "bn1", "layer1", "layer2")), ("perx2ct_global", ("layer3",))):
        trunk = network(run).encoder.trunk
        for name, value in trunk.state_dict().items():
            assert whole.state_dict()[name].shape == value.shape
        cut = count(whole.layer3[-1]) - count(trunk.layer3[-1]) if run == "perx2ct_global" else 0
        assert sum(count(getattr(trunk, name)) for name in layers) + cut == sum(
            count(getattr(whole, name)) for name in layers
        )
    assert network("perx2ct_global").encoder.global_channels == 256


def test_parameters_of_perx2ct_agree_with_its_published_checkpoints() -> None:
    """603 and 935 MB (Hugging Face, dek924/PerX2CT), read as float32: each parameter with Adam's two moments.

    Both hold a VGG-16 and a discriminator, too; the difference of the two holds neither.
    """
    values = {run: 3 * count(network(run)) for run in ("perx2ct", "perx2ct_global")}
    assert 4e-6 * (values["perx2ct_global"] - values["perx2ct"]) == pytest.approx(935 - 603, rel=0.01)
    vgg_16, discriminator = 14.71e6, 3 * 2.77e6
    assert 4e-6 * (values["perx2ct"] + vgg_16 + discriminator) == pytest.approx(603, rel=0.01)


def test_sizes_of_x2ctgan() -> None:
    branch = network("x2ctgan").branches[0]
    assert branch.encoder.widths == [64, 128, 256, 512, 512, 704]
    assert branch.bridge_a[0].out_features == 256 * 4**3
    method, settings = paper("x2ctgan")
    with torch.device("meta"):
        both = method.discriminator(settings)
        one = method.discriminator(paper("x2ctgan_pa")[1])
    assert both is not None and both.body[0].in_channels == 3
    assert one is not None and one.body[0].in_channels == 2
    assert method.discriminator(paper("x2ctcnn")[1]) is None


@pytest.mark.parametrize("run", ["cnn2d", "x2ctgan", "x2ctgan_pa"])
@pytest.mark.slow
def test_128_pixels_make_128_cubed(run: str) -> None:
    method, settings = paper(run)
    _, (xrays,) = method.passes(settings)
    assert xrays.shape[-1] == (256 if run == "cnn2d" else 128)
    with torch.no_grad():
        assert network(run).eval()(xrays.to("meta")).shape == (1, 1, 128, 128, 128)


def test_costs_add_up() -> None:
    """Of a network of which both are known: PerX2CT's slices cost the same each, its X-rays once a plane."""
    method, settings = paper("cnn2d")
    parameters, discriminator, flop = costs(method, settings)
    assert sum(parameters.values()) == count(network("cnn2d")) and discriminator == 0
    depth = 2 * 128 * 128 * 256 * 128  # the last layer, 1 x 1
    assert flop > depth and parameters["depth"] == 256 * 128 + 128
