"""From scans on disk to arrays ready for training."""
