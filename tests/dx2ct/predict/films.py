"""Names of tests/fabricate as some tests still call them."""

from tests.fabricate import random_run as write_model

__all__ = ["write_model"]
