"""Folds of a cohort: columns split_NAME of its sheet, each of which divides the same patients otherwise."""

from collections.abc import Sequence

from drr.errors import InputError


def leave_one_out(patients: Sequence[str]) -> dict[str, dict[str, str]]:
    """{fold: {patient: part}}: fold1, fold2 and so on test one patient each, in the order of their names.

    Raises InputError for fewer than two patients.
    """
    names = sorted(set(patients))
    if len(names) < 2:
        raise InputError(f"{len(names)} patient: --leave-one-out needs two at least, one to train on and one to test")
    return {
        f"fold{number}": {name: "test" if name == left_out else "train" for name in names}
        for number, left_out in enumerate(names, start=1)
    }
