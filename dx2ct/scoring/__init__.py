"""From volumes to scores: of one scan, one run, all runs."""
