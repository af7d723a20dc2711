"""What varies from patient to patient, and the landmarks that follow from it."""

from dataclasses import dataclass

from dx2ct.data.sources.phantom.anatomy.shape import Variety

Point = tuple[float, float, float]
PLAIN = Variety()


@dataclass(frozen=True)
class Nodule:
    """A solid, round lung nodule: centre in the patient frame, diameter in mm."""

    centre: Point
    diameter: float


@dataclass(frozen=True)
class Anatomy:
    """One patient. Lengths in mm; see the package text for the frame."""

    female: bool
    shift_mm: Point  # where the patient frame lies in the scanner
    cavity_half_width: float  # inside the ribs, where the chest is widest
    cavity_half_depth: float
    fat: float  # subcutaneous, at the flanks
    lung_height: float  # apex to the lowest recess
    dome_right: float  # height of the right hemidiaphragm above that recess
    dome_step: float  # right hemidiaphragm above left
    heart_scale: float
    heart_x: float
    heart_turn: float  # radians: a steep heart (< 0) or one that lies flat (> 0)
    aorta_radius: float
    aorta_bulge: float  # how far an old aorta unfolds to the left
    kyphosis: float
    scoliosis: float
    breast: float  # projection of the breasts
    gastric_gas: float  # radius of the air bubble
    lung_hu: float
    blood_hu: float
    bone_scale: float  # 1 = young and dense
    detail_seed: int  # vessels and the lungs' texture
    nodules: tuple[Nodule, ...] = ()
    variety: Variety = PLAIN

    @property
    def apex(self) -> float:
        """z of the lung apices."""
        return self.lung_height / 2

    @property
    def base(self) -> float:
        """z of the lowest recess of the lungs."""
        return -self.lung_height / 2

    @property
    def tall(self) -> float:
        """Scale of lengths along z against a lung 240 mm high."""
        return self.lung_height / 240

    @property
    def half_width(self) -> float:
        """Of the body, skin to skin."""
        return self.cavity_half_width + self.fat + self.variety.trunk.wall

    @property
    def half_depth(self) -> float:
        """Of the body, skin to skin: front wall 17 mm, back wall 22 mm, and the fat on them."""
        return self.cavity_half_depth + (39 + 1.3 * self.fat) / 2

    @property
    def front(self) -> float:
        """y of the cavity's front wall."""
        return -self.half_depth + 17 + 0.7 * self.fat

    @property
    def spine_y(self) -> float:
        """y of the vertebral bodies' centres where the kyphosis is deepest."""
        return self.half_depth - 0.6 * self.fat - 56

    @property
    def carina(self) -> Point:
        """Where the trachea divides."""
        x, y, z = self.variety.carina
        return (2.0 + x, self.spine_y - 34 + y, self.apex - 96 * self.tall + z)

    @property
    def dome_left(self) -> float:
        """Height of the left hemidiaphragm above the lowest recess."""
        return self.dome_right - self.dome_step

    @property
    def heart(self) -> Point:
        """Centre of the heart, in the left ventricle's septal half."""
        saddle = self.base + self.dome_left - 6
        return (self.heart_x, self.front + 54 * self.heart_scale, saddle + 44 * self.heart_scale)

    @property
    def liver_dome(self) -> Point:
        """A point 20 mm below the top of the right hemidiaphragm, in the liver."""
        return (-0.48 * self.cavity_half_width, -12.0, self.base + self.dome_right - 20)

    def in_scanner(self, point: Point) -> Point:
        """Where a point of the patient frame lies in the scanner, LPS mm."""
        warp = self.variety.warp
        x, y, z = point if warp is None else warp.bent(point)
        return x + self.shift_mm[0], y + self.shift_mm[1], z + self.shift_mm[2]

    def hilum(self, side: int) -> Point:
        """Where the vessels enter the lung; side is +1 for the patient's left, -1 for the right. The left is higher."""
        x, y, z = self.carina
        return (x + 44 * side, y + 4, z - (14 if side > 0 else 22))
