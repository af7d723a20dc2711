"""2DCNN."""
