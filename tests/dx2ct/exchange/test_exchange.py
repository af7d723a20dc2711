"""A run in the hands of other programs computes what it computes in ours."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from drr.errors import InputError
from drr.volume import read_volume
import dx2ct
from dx2ct.cli import app
from dx2ct.exchange import bundle, graph
from dx2ct.exchange.bundle import write_bundle
from dx2ct.exchange.graph import write_onnx, write_program
from dx2ct.exchange.networks import AnyGeometry, empty_inputs, read_lift
from dx2ct.predict.named import INDEX
from tests.fabricate import random_run, tiny

EXACT_HU = 0.05  # of a range of 2,500: float32 in another order


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_run(tmp_path_factory.mktemp("runs") / "lift", tiny("lift"))


def inputs(run: Path) -> tuple[Tensor, Tensor, Tensor]:
    """X-rays of noise, the second one missing, from a source that is a little nearer than in the training."""
    xrays, mask, matrices = empty_inputs(read_lift(run)[0])
    generator = torch.Generator().manual_seed(0)
    mask[:, 1] = 0
    nearer = matrices.clone()
    nearer[:, :, 2, 3] *= 0.9
    return torch.rand(xrays.shape, generator=generator), mask, nearer


@torch.no_grad()
def ours(run: Path) -> np.ndarray:
    return AnyGeometry(read_lift(run)[1])(*inputs(run)).numpy()


def test_the_network_depends_on_every_input(run: Path) -> None:
    """Or a graph that forgot one would be equal to ours."""
    network, given = AnyGeometry(read_lift(run)[1]), inputs(run)
    changed = [tensor.clone() for tensor in given]
    changed[0], changed[1], changed[2] = 1 - given[0], torch.ones_like(given[1]), given[2] * 1.1
    with torch.no_grad():
        first = network(*given)
        for place in range(3):
            other = [changed[i] if i == place else given[i] for i in range(3)]
            assert (network(*other) - first).abs().max() > 10 * EXACT_HU


def test_a_program_of_torch_export_computes_the_same(run: Path, tmp_path: Path) -> None:
    write_program(run, tmp_path / "lift.pt2")
    program = torch.export.load(tmp_path / "lift.pt2").module()
    with torch.no_grad():
        np.testing.assert_allclose(program(*inputs(run)).numpy(), ours(run), atol=EXACT_HU)


def test_onnx_computes_the_same(run: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="pip install 'dx2ct[exchange]'")
    write_onnx(run, tmp_path / "lift.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["lift.onnx"], "weights are inside"
    session = runtime.InferenceSession(tmp_path / "lift.onnx", providers=["CPUExecutionProvider"])
    given = dict(zip(graph.INPUTS, (tensor.numpy() for tensor in inputs(run)), strict=True))
    (found,) = session.run(list(graph.OUTPUTS), given)
    np.testing.assert_allclose(found, ours(run), atol=EXACT_HU)


def test_monai_runs_the_bundle_as_predict_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chest model itself, of example films, by MONAI's own commands."""
    monai = pytest.importorskip("monai.bundle", reason="pip install 'dx2ct[exchange]'")
    films = {view: INDEX.parent / f"chest_{view}.mha" for view in ("pa", "lateral")}
    write_bundle(INDEX.parent / "chest_model", tmp_path / "bundle")
    monkeypatch.chdir(tmp_path / "bundle")
    files = {"meta_file": "configs/metadata.json", "config_file": "configs/inference.json"}
    monai.verify_net_in_out("network", device="cpu", **files)
    words = {view: str(path) for view, path in films.items()}
    monai.run(**files, device="$torch.device('cpu')", output=str(tmp_path / "ct.nii.gz"), **words)
    expected = dx2ct.load("chest", "cpu", threads=1).reconstruct(films)
    found = read_volume(tmp_path / "ct.nii.gz")
    np.testing.assert_array_equal(found.array, expected.array)
    assert found.origin_mm == pytest.approx(expected.origin_mm)


def test_the_metadata_of_a_bundle_have_what_the_specification_asks_for(run: Path, tmp_path: Path) -> None:
    write_bundle(run, tmp_path / "bundle")
    metadata = json.loads((tmp_path / "bundle/configs/metadata.json").read_text())
    asked = "version changelog monai_version pytorch_version numpy_version required_packages_version task description"
    assert {*asked.split(), "authors", "copyright", "network_data_format"} <= metadata.keys()
    assert metadata["version"] in metadata["changelog"] and bundle.RESEARCH in metadata["intended_use"]
    (image,) = metadata["network_data_format"]["inputs"].values()
    assert image["num_channels"] == len(image["channel_def"]) == 2
    weights = torch.load(tmp_path / "bundle/models/model.pt", weights_only=True)
    assert weights["network.mean"].shape[-3:] == tuple(
        metadata["network_data_format"]["outputs"]["pred"]["spatial_shape"]
    )


def test_what_cannot_be_exported_is_one_line(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"phantom_model: DX2CT cannot be exported: take a run of lift"):
        write_bundle(INDEX.parent / "phantom_model", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    with pytest.raises(InputError, match=r"lift\.pt: the file's name must end in \.pt2"):
        write_program(run, tmp_path / "lift.pt")
    monkeypatch.setattr(graph, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"lift\.onnx: ONNX needs onnx, which is not installed: pip install"):
        write_onnx(run, tmp_path / "lift.onnx")


def test_the_command_says_what_it_wrote(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["export", str(run), "--monai", str(tmp_path / "bundle")])
    assert done.exit_code == 0 and done.output == f"wrote {tmp_path}/bundle\n"
    nothing = CliRunner().invoke(app, ["export", str(run)])
    assert isinstance(nothing.exception, InputError) and "--monai FOLDER" in str(nothing.exception)
