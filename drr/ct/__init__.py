"""CT scans from whatever they are stored in, checked before they are believed."""
