"""Settings, scans, runs, X-ray files and results, made up and small enough for a test: one place for all of them."""

from tests.fabricate.results import COHORT, DX2CT, settings_of, TESTS, write_data, write_reconstructions
from tests.fabricate.runs import log_of, network_of, random_run, start, train, weights_of
from tests.fabricate.scans import body, cohort, noise, rows, SPLITS, write_scan, write_sheet, XRAY_PIXELS
from tests.fabricate.settings import BOTH, options, plain_values, ROOT, SIZE, smoke, tiny, VIEWS, xray_settings
from tests.fabricate.xray_files import film, lateral, pa, under_another_syntax, write_dicom

__all__ = [
    "BOTH",
    "COHORT",
    "DX2CT",
    "ROOT",
    "SIZE",
    "SPLITS",
    "TESTS",
    "VIEWS",
    "XRAY_PIXELS",
    "body",
    "cohort",
    "film",
    "lateral",
    "log_of",
    "network_of",
    "noise",
    "options",
    "pa",
    "plain_values",
    "random_run",
    "rows",
    "settings_of",
    "smoke",
    "start",
    "tiny",
    "train",
    "under_another_syntax",
    "weights_of",
    "write_data",
    "write_dicom",
    "write_reconstructions",
    "write_scan",
    "write_sheet",
    "xray_settings",
]
