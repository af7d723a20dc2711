"""From one or two X-ray files to a CT: reading, framing, checks, reconstruction, files."""
