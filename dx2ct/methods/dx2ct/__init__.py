"""DX2CT, the method of the paper."""
