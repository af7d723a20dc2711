"""Things that belong together because they share something, each with the next."""

from collections.abc import Hashable, Iterable, Sequence


def joined(keys: Sequence[Iterable[Hashable]]) -> list[int]:
    """For each thing the index of the first of its group; things that share a key, also through others, are a group."""
    above = list(range(len(keys)))

    def first(k: int) -> int:
        while above[k] != k:
            above[k] = above[above[k]]
            k = above[k]
        return k

    holder: dict[Hashable, int] = {}
    for k, own in enumerate(keys):
        for key in own:
            low, high = sorted((first(k), first(holder.setdefault(key, k))))
            above[high] = low
    return [first(k) for k in range(len(keys))]
