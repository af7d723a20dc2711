"""The network of workflow/config/paper.yaml is the paper's: sizes at every join, parameters, who sees which view.

It is built on the meta device: shapes without numbers.
"""

from collections.abc import Iterator
from dataclasses import replace
import re
from typing import Any

import pytest
import torch
from torch import nn

from bench.run_settings import run_settings
from dx2ct.config import SamplingOptions
from dx2ct.config.keys import extra_of, fields_of
from dx2ct.config.walk import keys, sections_in
from dx2ct.methods.dx2ct.conditions import Conditions
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.dx2ct.query_transformer import CrossAttention
from dx2ct.methods.dx2ct.settings import DiffusionSettings, Dx2ctRow, Dx2ctTraining, ModelSettings
from dx2ct.methods.dx2ct.unet import ResBlock, SelfAttention, Spade
from dx2ct.methods.layers.positions import view_coordinates
from dx2ct.profiling.parts import parameters

pytestmark = pytest.mark.slow

PAPER = "workflow/config/paper.yaml"
Shape = tuple[int, ...] | None
WATCHED = (Spade, ResBlock, SelfAttention, CrossAttention)
SOURCED = re.compile(r"^(paper|the paper|digest|ours)\b|^default: \S+")
OURS = {  # how a step is computed, or of no effect while another key has its default
    *("accumulate", "batch", "folds", "over", "precision", "seeds", "slices_per_patient", "views"),
    *("consistency.weight", "consistency.smooth_mm", "consistency.when"),
}


def build(run: str = "dx2ct") -> DX2CT:
    with torch.device("meta"):
        return DX2CT(run_settings(PAPER, run)).to("meta")


def calls(model: DX2CT) -> list[tuple[nn.Module, str, list[Shape]]]:
    """Two slices of one patient through the network: every module called, its name, the shapes of what it was given."""
    seen: list[tuple[nn.Module, str, list[Shape]]] = []

    def look(name: str):
        return lambda module, inputs: seen.append((module, name, [shape(i) for i in inputs]))

    def shape(given):  # of what comes together, keys and values or the two modulations, the first's
        first = given[:1] if isinstance(given, tuple) else (given,)
        return getattr(*first, "shape", None) if first else None

    hooks = [m.register_forward_pre_hook(look(n)) for n, m in model.named_modules() if isinstance(m, WATCHED)]
    views = len(model.conditions.view_map)
    with torch.device("meta"), torch.no_grad():
        inputs = torch.empty(1, views, 128, 128), torch.empty(1, 2, 128, 128, 3), torch.empty(2, 1, 128, 128)
        assert model(*inputs, torch.empty(2, dtype=torch.long)).shape == (2, 1, 128, 128)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.fixture(scope="module")
def model() -> DX2CT:
    return build()


@pytest.fixture(scope="module")
def seen(model: DX2CT) -> list[tuple[nn.Module, str, list[Shape]]]:
    return calls(model)


def test_shapes_of_features_and_condition_maps(model: DX2CT) -> None:
    with torch.device("meta"), torch.no_grad():
        features = model.conditions.encoder(torch.empty(2, 128, 128))
        maps = model.conditions(torch.empty(1, 2, 128, 128), torch.empty(1, 3, 128, 128, 3))
    assert [tuple(f.shape) for f in features] == [(2, 256, 32, 32), (2, 512, 16, 16), (2, 1024, 8, 8)]
    assert [tuple(m.shape) for m in maps] == [(3, 256, 32, 32), (3, 256, 16, 16), (3, 256, 8, 8)]
    assert [len(t.blocks) for t in model.conditions.transformers] == [12, 12, 12]


def test_parameters_of_every_part(model: DX2CT) -> None:
    """README says 90.7 M: encoder 8.5, 3DPQT 28.5, U-Net 53.1."""
    millions = {name: round(count / 1e6, 1) for name, count in parameters(model).items()}
    assert millions == {"resnet": 8.5, "positions": 0.6, "3dpqt": 28.5, "unet": 53.1}
    assert sum(parameters(model).values()) == sum(p.numel() for p in model.parameters())
    assert round(sum(parameters(model).values()) / 1e6, 1) == 90.7
    # torchvision's ResNet-50 has 25,557,032 parameters; conv5_x 14,964,736 and the classifier 2,049,000 are left out.
    assert parameters(model)["resnet"] == 25_557_032 - 14_964_736 - 2_049_000


def test_conditions_enter_encoder_and_decoder_at_32_16_and_8_alone(seen) -> None:
    entered = {"down": [], "middle": [], "up": []}
    for spade, name, (x, modulation) in (call for call in seen if isinstance(call[0], Spade)):
        assert x[2:] == modulation[2:] and modulation[1] == 2 * x[1] and spade.shared.in_channels == 256, name
        entered[name.split(".")[1]].append(x[-1])
    assert entered == {  # two norms a block; two blocks a level on the way down, three on the way up
        "down": [32] * 4 + [16] * 4 + [8] * 4,
        "middle": [8] * 4,
        "up": [8] * 6 + [16] * 6 + [32] * 6,
    }
    blocks = [shapes for module, _, shapes in seen if isinstance(module, ResBlock)]
    assert {x[-1] for x, _, modulation in blocks if modulation is None} == {128, 64}
    assert {x[-1] for x, _, modulation in blocks if modulation is not None} == {32, 16, 8}


def test_levels_of_the_unet(seen) -> None:
    widths: dict[int, set[int]] = {}
    for module, _, (x, *_) in (call for call in seen if isinstance(call[0], ResBlock)):
        widths.setdefault(x[-1], set()).add(module.conv2.out_channels)
    assert widths == {128: {64}, 64: {64}, 32: {128}, 16: {192}, 8: {256}}
    assert {shapes[0][-1] for module, _, shapes in seen if isinstance(module, SelfAttention)} == {16, 8}


def require_keys(seen, views: int) -> None:
    """Queries: one a pixel of the map, of both slices; keys: one a pixel of that map in each view, and no more."""
    shapes = [shapes for module, _, shapes in seen if isinstance(module, CrossAttention)]
    assert shapes == [
        [(1, 2 * side**2, 256), (1, 8, views * side**2, 32)]  # 8 heads of 32 channels
        for side in (32, 16, 8)
        for _ in range(12)
    ]


def test_two_views_give_two_sets_of_keys(seen) -> None:
    require_keys(seen, views=2)


def test_mono_uses_the_keys_of_its_one_view() -> None:
    mono = build("dx2ct_pa")
    assert len(mono.conditions.view_map) == 1
    require_keys(calls(mono), views=1)


@pytest.mark.parametrize("view", ["pa", "lateral"])
def test_mono_knows_where_its_own_view_lies(view: str) -> None:
    settings = run_settings(PAPER)
    transformer = replace(settings.model.transformer, blocks=1)
    model, row = replace(settings.model, transformer=transformer), replace(settings.run, views=(view,))
    found = Conditions(replace(settings, model=model, run=row)).view_map
    beam = settings.xray.cone_beam
    expected = view_coordinates(beam.view(view, (0.0, 0.0, 0.0)), beam, 128, 320.0, "plane")
    assert torch.equal(found, torch.from_numpy(expected)[None])


def leaves(section: Any, around: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a section's type that is no section itself, with the source of its default or of what it lies in."""
    for name, info in keys(section).items():
        inner, source = list(sections_in(info.annotation)), str(extra_of(info).get("source", "")) or around
        for kind in inner:
            yield from ((f"{name}.{key}", found) for key, found in leaves(kind, source))
        if not inner and not info.is_required():
            yield name, source


@pytest.mark.parametrize("section", [ModelSettings, DiffusionSettings, Dx2ctTraining, Dx2ctRow, SamplingOptions])
def test_every_default_of_the_paper_s_method_names_its_source(section: type) -> None:
    found = dict(leaves(section))
    assert len(found) >= 3
    assert {key for key, source in found.items() if not SOURCED.match(source)} <= OURS


def test_the_paper_s_file_changes_no_number() -> None:
    """All its numbers are the defaults of the types; its rows are ablations alone."""
    settings = run_settings(PAPER)
    defaults = {name: info.get_default(call_default_factory=True) for name, info in fields_of(type(settings)).items()}
    for section in ("model", "diffusion", "train"):
        assert getattr(settings, section) == defaults[section]
