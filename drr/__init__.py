"""CT volumes and X-ray physics: read a volume, place a source and a detector, render line integrals."""
