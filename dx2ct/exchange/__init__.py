"""Runs for other programs: as a MONAI bundle, as ONNX, as a PyTorch program. Methods with one forward pass alone (lift)."""
