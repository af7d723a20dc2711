"""What follows from the list of metrics: columns, views, definitions, work that is done once."""

from hypothesis import given
from hypothesis import strategies as st
import pytest

from drr.errors import InputError
from dx2ct.metrics import Evaluation, measured, METRICS, score, tissue, views_in
from dx2ct.metrics import published as rules
from dx2ct.scoring.run import score_columns
from dx2ct.scoring.summary import views_of
from tests.dx2ct.evaluations import evaluation
from tests.fabricate import body

NAMES = st.from_regex(r"(floor_)?[a-z][a-z0-9_]{0,8}(_planes)?", fullmatch=True)
VIEWS = st.lists(NAMES, unique=True, max_size=4).map(tuple)


def test_every_metric_says_what_it_is():
    names = [metric.name for metric in measured(("pa", "lateral"))]
    assert len(set(names)) == len(names)
    headline = [metric.headline for metric in METRICS]
    assert headline == sorted(headline, reverse=True), "headline metrics stand first"
    for metric in METRICS:
        assert metric.definition.endswith(".") and metric.source and metric.better in (-1, 0, 1), metric.name


@given(VIEWS)
def test_views_are_found_again_in_the_columns_or_refused(views):
    try:
        columns = score_columns(views)
    except InputError as error:
        assert any(view.startswith("floor_") or view.endswith("_planes") for view in views), str(error)
    else:
        assert views_in(columns) == views and len(set(columns)) == len(columns)
        assert views_of([*columns, *(f"{column}_planes" for column in columns[2:])]) == views


def test_what_metrics_share_is_computed_once(monkeypatch: pytest.MonkeyPatch):
    """Of a scan: the tissues of the CT. Of each reconstruction: its own, and the error in grey levels."""
    calls: list[str] = []

    def counted(module: object, name: str) -> None:
        plain = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: calls.append(name) or plain(*given))

    counted(tissue, "tissues")
    counted(rules, "_squared_error")
    one = evaluation(body(0), body(1))
    score(one)
    score(Evaluation(one.ct, one.image, "coronal"))
    assert (calls.count("tissues"), calls.count("_squared_error")) == (1 + 2, 2)
