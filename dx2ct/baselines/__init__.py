"""Methods that DX2CT is compared with."""
