"""3D chest CT from one or two X-rays: DX2CT, its rivals, its metrics."""
