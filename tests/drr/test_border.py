"""What goes wrong behind a command line is one line; a defect of the program keeps its traceback."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from drr.border import explain, one_line_errors, short_of_memory
from drr.errors import InputError

MEMORY = [
    MemoryError(),
    MemoryError("Unable to allocate 8. EiB for an array"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("Exception thrown in SimpleITK ImageFileReader_Execute: std::bad_alloc"),
    RuntimeError("x.cxx:1:\nITK ERROR: Image(0x55d0c8): Failed to allocate memory for image."),
    RuntimeError("can't start new thread"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
]


@pytest.mark.parametrize("error", MEMORY, ids=str)
def test_too_little_memory_is_said_with_what_to_do(error: Exception) -> None:
    line = explain(error, ["volume", "scan.zip", "-o", "x.mha"])
    assert line is not None and "\n" not in line
    assert line.startswith("volume scan.zip: ") and "mem_mb" in line and "emory" in line and "0x" not in line


def test_a_reader_that_takes_too_little_memory_for_a_bad_file_is_corrected() -> None:
    try:
        try:
            raise RuntimeError("std::bad_alloc")
        except RuntimeError as error:
            raise InputError(f"ct.mha: not a readable volume ({error})") from None
    except InputError as error:
        line = explain(error)
    assert line is not None and line.startswith("ct.mha: not enough memory (std::bad_alloc): ")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "out.mha"),
            "out.mha: No space left on device: free some space",
        ),
        (OSError(errno.EROFS, "Read-only file system", "o"), "o: Read-only file system: make the file or its folder"),
        (OSError(errno.ENOENT, "No such file or directory", "o"), "o: No such file or directory: check the path"),
        (OSError("32768 requested and 1984 written"), "slices x: 32768 requested and 1984 written: free some space"),
        (RecursionError("maximum recursion depth exceeded"), "slices x: its values are nested too deeply"),
        (InputError("scan.zip:\n  no  CT"), "scan.zip: no CT"),
        (
            RuntimeError("MetaImageIO(0x55aa): File cannot be opened for writing.\nReason: Success"),
            "slices x: cannot be written (File cannot be opened for writing.): free some space",
        ),
        (
            RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 128 vs 0"),
            "slices x: cannot be written (",
        ),
    ],
    ids=str,
)
def test_a_fault_of_the_machine_is_named(error: Exception, words: str) -> None:
    line = explain(error, ["slices", "x"])
    assert line is not None and line.startswith(words) and "Success" not in line


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), KeyError("x"), ValueError()]
)
def test_a_defect_keeps_its_traceback(error: Exception) -> None:
    assert explain(error) is None and not short_of_memory(error)
    with pytest.raises(type(error)), one_line_errors([]):
        raise error


def test_control_characters_of_a_name_are_shown_and_not_sent_to_the_terminal() -> None:
    line = explain(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "scan\x1b[2J.mha"))
    assert line is not None and line.startswith(r"scan\x1b[2J.mha: ")
    assert explain(InputError("\x9b31m\u202eevil")) == r"\x9b31m\u202eevil"


def test_the_exit_code_is_not_0_and_the_line_stands_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end, one_line_errors(["info", "x"]):
        np.load(tmp_path / "gone.npy")
    assert end.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: {tmp_path}/gone.npy: No such file") and told.count("\n") == 1
