"""Procedural thorax phantoms."""
