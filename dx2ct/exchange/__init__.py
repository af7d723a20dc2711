"""Runs of methods with one forward pass (lift) for other programs: a MONAI bundle, ONNX, a PyTorch program."""
