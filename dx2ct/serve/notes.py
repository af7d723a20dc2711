"""Notes of `predict` as a page shows them: without words of the command line, each with what would cure it."""

from collections.abc import Mapping
import re
from typing import Any

from dx2ct.predict.framing import Framing, parse_framings

_OPTION = re.compile(r"--(crop|rotate|flip|invert|spacing-mm)\b(?: (\w+)(?::([\d.,]+|MM))?)?")
_BRACKETED = re.compile(r" ?\((?:--[^()]*|[^()]*--preview[^()]*)\)")
_PLAIN = {
    r"--preview": "the picture",
    r":? ?--spacing-mm \w+:MM": ": say how large a pixel is",
    r"--crop [\w:,]+": "crop it",
    r"--flip\b": "mirror it",
    r"--invert\b": "invert it",
    r"--rotate\b": "turn it",
    r"--passes": "passes",
    r"--(spacing|sid|odd)-mm": r"\1 in mm",
}
_LABELS = {"flip": "Mirror it", "invert": "Invert it", "rotate": "Turn it", "crop": "Crop it"}


def shown(text: str, view: str, now: Framing) -> dict[str, Any]:
    """text: for people; cure: the label of a button and the keys of the framing that it sets, None without one.

    now: how the X-ray is framed, over which a mirror or a turn goes. A missing scale has a cure without keys: only a
    person knows it.
    """
    return {"text": in_words(text.removeprefix(f"{view}: ")), "cure": _cure(text, view, now)}


def in_words(text: str) -> str:
    """A note without the command line's options."""
    text = _BRACKETED.sub("", text)
    for pattern, words in _PLAIN.items():
        text = re.sub(pattern, words, text)
    return text


def _cure(text: str, view: str, now: Framing) -> dict[str, Any] | None:
    found = _OPTION.search(text)
    if not found or found[2] not in (None, view, "undoes"):
        return None
    option, value = found[1], found[3]
    if option == "spacing-mm":
        return {"label": "Say its pixel spacing", "set": {}} if value == "MM" else None
    return {"label": _LABELS[option], "set": _changed(option, value, view, now)} if _is_whole(option, value) else None


def _is_whole(option: str, value: str | None) -> bool:
    return option in ("flip", "invert") or value is not None


def _changed(option: str, value: str | None, view: str, now: Framing) -> Mapping[str, Any]:
    """The key that the option means, by the command line's own parser; a mirror on a mirrored film undoes it."""
    word = f"{view}:{value}" if value else view
    said = parse_framings([view], **{option: [word]})[view]
    if option == "rotate":
        return {"rotate": (now.rotate + said.rotate) % 360}
    if option == "crop":
        return {"crop": said.crop}
    return {option: not getattr(now, option)}
