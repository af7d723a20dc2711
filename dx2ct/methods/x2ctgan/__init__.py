"""X2CT-GAN and X2CT-CNN."""
