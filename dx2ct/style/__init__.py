"""A CycleGAN between rendered X-rays and films: networks, training, and what it makes of an X-ray."""
