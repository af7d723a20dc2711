"""The parts of the DX2CT network. Nothing here reads data."""
