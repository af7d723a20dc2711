"""What tells patients apart. Standard library only: every job of a cluster imports it."""

import unicodedata


def patient_key(name: str) -> str:
    """A patient's name without case, blanks around it and the Unicode form of its accents, in which writers differ."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return " ".join("".join(letter if letter.isprintable() else " " for letter in folded).split())
