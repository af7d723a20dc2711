"""Which scans are used: finding, selecting and splitting them by patient."""
