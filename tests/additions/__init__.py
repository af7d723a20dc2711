"""One file each that somebody might add to the project; tests/test_registries.py adds them to a copy and runs it."""
