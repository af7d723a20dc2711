"""From configuration files to what the rules ask. Light: numpy and pydantic, no torch."""

from drr.errors import InputError
from dx2ct.planning.plan import Plan
from dx2ct.planning.resolve import resolve, Resolved

__all__ = ["InputError", "Plan", "Resolved", "resolve"]
