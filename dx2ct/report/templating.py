"""The templates of the report's texts and pages."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment(is_html: bool, filters: Mapping[str, Callable[..., Any]] | None = None) -> Environment:
    """Reads dx2ct/report/templates; an unknown variable is an error, and HTML is escaped."""
    found = Environment(
        loader=PackageLoader("dx2ct.report"),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(filters or {})
    return found
