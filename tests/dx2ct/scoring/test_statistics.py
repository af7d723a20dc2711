from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dx2ct.scoring.run import score_columns
from dx2ct.scoring.statistics import extremes, paired, write_comparisons

COLUMNS = score_columns(("pa", "oblique"))


def write_scores(run: Path, psnr: dict[str, float]) -> Path:
    rows = [
        {name: value for name in COLUMNS} | {"scan": scan, "plane": plane, "lpips": None}
        for scan, value in psnr.items()
        for plane in ("axial", "mean")
    ]
    run.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(run / "scores.csv", index=False)
    return run


def test_a_clear_difference_is_seen_and_noise_is_not():
    random = np.random.default_rng(0)
    base = random.normal(25, 3, 40)
    better = paired(base + 0.5 + random.normal(0, 0.3, 40), base)
    assert 0 < better.ci_low < better.difference < better.ci_high < 1 and better.wilcoxon_p < 1e-6
    same = paired(base + random.normal(0, 0.3, 40), base)
    assert same.ci_low < 0 < same.ci_high and same.wilcoxon_p > 0.05


def test_pairing_finds_what_the_spread_of_scans_would_hide():
    random = np.random.default_rng(1)
    base = random.normal(25, 3, 30)
    values = base + 0.3 + random.normal(0, 0.1, 30)
    assert stats.ttest_ind(values, base).pvalue > 0.5
    assert paired(values, base).wilcoxon_p < 1e-6


def test_swapping_the_runs_swaps_the_sign():
    random = np.random.default_rng(2)
    one, other = random.normal(0, 1, (2, 20))
    forth, back = paired(one, other), paired(other, one)
    assert (forth.difference, forth.wilcoxon_p) == pytest.approx((-back.difference, back.wilcoxon_p))
    assert (forth.ci_low, forth.ci_high) == pytest.approx((-back.ci_high, -back.ci_low), abs=1e-9)


def covered(scans: int, trainings: int, other_trainings: int, repeats: int = 400) -> float:
    """How often the interval holds the true difference, 0.5, where scans differ by 1 and trainings by 0.3."""
    random, hits = np.random.default_rng(scans + 10 * trainings), 0
    for _ in range(repeats):
        difficulty, difference = random.normal(25, 3, scans), random.normal(0.5, 1, scans)
        one, other = (
            difficulty + random.normal(0, 0.3, (count, 1)) + random.normal(0, 0.2, (count, scans))
            for count in (trainings, other_trainings)
        )
        found = paired(one + difference, other)
        hits += found.ci_low <= 0.5 <= found.ci_high
    return hits / repeats


@pytest.mark.parametrize(("scans", "trainings"), [(4, 3), (20, 3), (20, 8), (100, 3)])
def test_the_interval_holds_the_truth_as_often_as_it_says(scans: int, trainings: int) -> None:
    """A percentile bootstrap over four scans would in 80 of 100 cases."""
    assert 0.92 < covered(scans, trainings, trainings) < 0.99


def test_one_training_is_taken_as_it_is() -> None:
    """Four scans are enough for what scans vary; what trainings vary is not seen, so that the interval is too short."""
    random, hits = np.random.default_rng(6), 0
    for sample in random.normal(0.2, 1, (400, 4)):
        found = paired(sample, np.zeros(4))
        hits += found.ci_low <= 0.2 <= found.ci_high
    assert 0.92 < hits / 400 < 0.98
    assert covered(100, 1, 1) < 0.7


def test_of_one_training_the_interval_is_scipy_s():
    sample = np.random.default_rng(4).normal(0.3, 1, 60)
    found = stats.ttest_1samp(sample, 0).confidence_interval()
    ours = paired(sample, np.zeros(60))
    assert (ours.ci_low, ours.ci_high) == pytest.approx(tuple(found), abs=1e-12)


def test_where_only_trainings_vary_the_interval_is_welch_s():
    """Every scan has the score of its training."""
    one, other = np.random.default_rng(7).normal([[25.0], [24.0]], 0.4, (2, 5))
    found = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    ours = paired(np.repeat(one[:, None], 30, axis=1), np.repeat(other[:, None], 30, axis=1))
    assert (ours.ci_low, ours.ci_high) == pytest.approx(tuple(found), abs=1e-12)


def test_few_equal_and_infinite_scores():
    one = paired(np.array([2.0]), np.array([1.0]))
    assert (one.scans, one.difference) == (1, 1) and np.isnan([one.ci_low, one.wilcoxon_p]).all()
    equal = paired(np.ones(5), np.ones(5))
    assert (equal.difference, equal.ci_low, equal.ci_high, equal.wilcoxon_p) == (0, 0, 0, 1)
    some = paired(np.array([np.inf, 3.0, 4.0, np.nan]), np.array([1.0, 1.0, 1.0, 1.0]))
    assert (some.scans, some.difference) == (2, 2.5)
    assert paired(np.array([np.nan]), np.array([1.0])).scans == 0


def test_runs_are_paired_by_the_name_of_the_scan(tmp_path):
    one = write_scores(tmp_path / "one", {"a": 20.0, "b": 30.0, "c": 25.0})
    other = write_scores(tmp_path / "other", {"c": 26.0, "a": 18.0, "d": 99.0})
    write_comparisons([one, other], tmp_path / "comparisons.csv")
    table = pd.read_csv(tmp_path / "comparisons.csv")
    assert set(table["metric"]) == set(COLUMNS) - {"scan", "plane", "data_range_hu"}
    row = table.iloc[0]
    assert (row["run"], row["other"], row["scans"], row["mean"], row["other_mean"]) == ("one", "other", 2, 22.5, 22.0)
    assert (row["difference"], row["lowest_scan"], row["highest_scan"]) == (0.5, "c", "a")
    lpips = table[table["metric"] == "lpips"].iloc[0]
    assert lpips["scans"] == 0 and np.isnan(lpips["difference"])


def test_one_run_gives_a_header(tmp_path):
    write_comparisons([write_scores(tmp_path / "one", {"a": 20.0})], tmp_path / "comparisons.csv")
    assert (tmp_path / "comparisons.csv").read_text().startswith("run,other,metric,scans,")
    assert len((tmp_path / "comparisons.csv").read_text().splitlines()) == 1


def test_worst_and_best_scans(tmp_path):
    worst, best = extremes(write_scores(tmp_path / "one", {"a": 20.0, "b": 30.0, "c": 25.0, "d": 10.0}))
    assert worst == [("d", 10.0), ("a", 20.0), ("c", 25.0)]
    assert best == [("b", 30.0), ("c", 25.0), ("a", 20.0)]


def test_trainings_of_one_run_are_one_run_and_widen_the_interval(tmp_path):
    scans = {f"s{n}": 20.0 + n for n in range(8)}
    runs = [
        write_scores(tmp_path / f"ours_seed{n}", {k: v + shift for k, v in scans.items()})
        for n, shift in enumerate((0.0, 1.0, 2.0))
    ]
    runs.append(write_scores(tmp_path / "theirs", {k: v - 1 for k, v in scans.items()}))
    write_comparisons(runs, tmp_path / "comparisons.csv")
    row = pd.read_csv(tmp_path / "comparisons.csv").iloc[0]
    assert (row["run"], row["other"], row["trainings"], row["other_trainings"], row["scans"]) == (
        *("ours", "theirs", 3, 1, 8),
    )
    half = stats.t.ppf(0.975, 2) / np.sqrt(3)  # of three trainings whose means are 1 apart
    assert (row["difference"], row["ci_low"], row["ci_high"]) == pytest.approx((2, 2 - half, 2 + half), abs=1e-5)
    write_comparisons([runs[1], runs[3]], tmp_path / "comparisons.csv")
    row = pd.read_csv(tmp_path / "comparisons.csv").iloc[0]
    assert row["run"] == "ours_seed1" and row["ci_low"] == row["ci_high"] == 2
