"""PerX2CT."""
