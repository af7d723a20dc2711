"""axe-core in a page that Playwright drives."""

from typing import Any

from tests.conftest import ROOT

AXE = ROOT / ".venv/axe/node_modules/axe-core/axe.min.js"
WITHOUT_AXE = "no axe-core here (make browser): accessibility is not checked"
_SERIOUS = ("serious", "critical")


def violations(page: Any) -> list[str]:
    """What axe-core finds serious: rule, how often, and the first place."""
    page.evaluate(AXE.read_text(encoding="utf-8"))  # the policy of a page may let in no script of a test
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{one['id']} ({len(one['nodes'])}): {one['nodes'][0]['html'][:150]}"
        for one in found
        if one["impact"] in _SERIOUS
    ]
