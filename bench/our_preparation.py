"""Both stages of this project's preparation in one process: python -m bench.our_preparation SCAN.zip FOLDER

For bench/preparation.py, whose other side is one process too; the workflow starts two.
"""

from pathlib import Path
import sys

from dx2ct.config import SlicesSettings, VolumeSettings
from dx2ct.data.prepare.slices import make_slices
from dx2ct.data.prepare.volume import make_volume

if __name__ == "__main__":
    scan, output = map(Path, sys.argv[1:])
    make_volume(scan, VolumeSettings(), output / "volume.mha", None)
    make_slices(output / "volume.mha", SlicesSettings(), output)
