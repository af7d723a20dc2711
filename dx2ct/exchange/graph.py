"""A run as a file of one computation: ONNX, or a program of torch.export. Neither needs dx2ct where it is run."""

from importlib.util import find_spec
from pathlib import Path

import torch

from drr.errors import InputError
from drr.files import replacing
from dx2ct.exchange.networks import AnyGeometry, empty_inputs, read_lift

INPUTS, OUTPUTS = ("xrays", "mask", "matrices"), ("hu",)
OPSET = 20  # the first whose GridSample takes volumes


def write_program(run: Path, output: Path) -> None:
    """Write OUTPUT (.pt2), which `torch.export.load(OUTPUT).module()` calls as `AnyGeometry`, one patient at a time."""
    _require_suffix(output, ".pt2")
    settings, network = read_lift(run)
    with torch.no_grad():
        program = torch.export.export(AnyGeometry(network), empty_inputs(settings))
    with replacing(output) as part:
        torch.export.save(program, part)


def write_onnx(run: Path, output: Path) -> None:
    """Write OUTPUT (.onnx) with inputs and output as `AnyGeometry`, one patient at a time, weights inside."""
    _require_suffix(output, ".onnx")
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            raise InputError(f"{output}: ONNX needs {package}, which is not installed: pip install 'dx2ct[exchange]'")
    settings, network = read_lift(run)
    with replacing(output) as part:
        torch.onnx.export(
            AnyGeometry(network),
            empty_inputs(settings),
            part,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _require_suffix(output: Path, suffix: str) -> None:
    if output.suffix != suffix:
        raise InputError(f"{output}: the file's name must end in {suffix}")
