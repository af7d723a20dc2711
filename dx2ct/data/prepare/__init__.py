"""From one CT to what networks are trained on: volume, X-rays, slices."""
