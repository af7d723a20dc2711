"""What has one form in the plain phantoms and many in the varied ones; every default is the plain one, to the last bit.

Heights are in units of the lung (`surfaces.level`): 0 at the lowest recess, 1 at the apex.
"""

from dataclasses import dataclass

from dx2ct.data.sources.phantom.anatomy.warp import Warp

Profile = tuple[float, ...]


@dataclass(frozen=True)
class Trunk:
    """Form of ribcage, skin and spine: widths and depths as shares of the patient's largest, mm elsewhere."""

    cavity_heights: Profile = (-0.5, 0.0, 0.15, 0.35, 0.6, 0.8, 0.92, 1.05)
    cavity_widths: Profile = (0.93, 0.97, 1.0, 1.0, 0.92, 0.77, 0.62, 0.46)
    cavity_depths: Profile = (1.0, 1.0, 1.0, 1.0, 0.92, 0.76, 0.6, 0.44)
    cavity_exponent: float = 2.3  # 2 is an ellipse, more is squarer
    body_heights: Profile = (-0.4, 0, 0.35, 0.78, 0.95, 1.1, 1.25)
    body_widths: Profile = (0.95, 0.97, 1, 1, 0.92, 0.66, 0.45)
    body_exponent: float = 2.5
    wall: float = 17.0  # of muscle and bone at the flanks
    belly: float = 0.0  # how much further than its fat the belly stands out
    bend_from: float = 0.5  # height above which the back of the ribcage follows the spine
    lean: float = 0.0  # where the spine is deepest: 0 in the middle, 1 at the apex
    lumbar: float = 1.0  # bend of the lower spine against the upper
    follow: float = 0.0  # share of the spine's bend that the skin of the back shows
    sheath_widths: Profile = (22, 26, 32, 32, 31, 33)  # mm, half, of what parts the lungs around the great vessels
    sheath_x: float = 2.0
    sheath_y: float = 30.0  # of its middle, before the spine
    sheath_depth: float = 44.0  # half
    septum: float = 4.0  # half width of the mediastinum behind the sternum
    column: float = 26.0  # half width of the spine with the tissue beside it
    chest: float = 0.0  # how much thicker the front wall is above than below: pectoral muscles
    dome_y: float = 0.0  # of the diaphragm's domes
    dome_right_y: float = -12.0  # of the right dome alone
    dome_back: float = 1.05  # half depth of the domes behind, as a share of the cavity's
    dome_side: float = 0.53  # their half width, as a share of the cavity's
    dome_front: float = 1.0  # how much slower the diaphragm falls to the front than to the back


@dataclass(frozen=True)
class Couch:
    """The table: two shells of carbon fibre with foam between them, under a mat."""

    gap: float = 9.0  # from the lowest point of the back
    curve: float = 1000.0  # mm: x² / curve is how much higher the couch lies x beside its middle; large is flat
    edge: float = 24.0  # from the lowest point of the back to the lower shell at the couch's sides
    hull: float = 30.0  # how much lower that is in the middle
    wall: float = 2.5
    wall_hu: float = -140.0
    foam_hu: float = -940.0
    mat_hu: float = -930.0
    mat: float = 8.0  # thickness


@dataclass(frozen=True)
class Limbs:
    """Shoulders, arms, neck and chin. mm; a direction's z is 1 for arms held up, -1 for arms that hang."""

    shoulder: float  # of the humerus' head beside the midline
    shoulder_z: float  # above the apex
    shoulder_y: float  # behind the spine
    arm: tuple[float, float, float]  # direction: aside, to the back, to the head
    radius: float  # of the shoulder's flesh
    neck: float  # radius
    chin: float  # height above the apex; the chin stands before the neck
    chin_reach: float


@dataclass(frozen=True)
class Abdomen:
    """What lies below the diaphragm."""

    filling_hu: float = -100.0  # around the organs: fat, or bowel and muscle in the lean
    loops: int = 0  # pieces of bowel
    gas_share: float = 0.0  # of them that hold gas
    seed: int = 0
    liver: float = 1.0  # size


@dataclass(frozen=True)
class Disease:
    """What the lungs suffer from; side is +1 for the patient's left, -1 for the right."""

    effusion_side: int = 0
    effusion: float = 0.0  # share of the chest's depth that the fluid fills
    patches: tuple[tuple[tuple[float, float, float], tuple[float, float, float], float], ...] = ()  # centre, radii, HU


@dataclass(frozen=True)
class Variety:
    """All of it."""

    trunk: Trunk = Trunk()
    couch: Couch | None = Couch()
    limbs: Limbs | None = None
    abdomen: Abdomen = Abdomen()
    disease: Disease = Disease()
    warp: Warp | None = None
    trachea: float = 9.0  # radius
    carina: tuple[float, float, float] = (0.0, 0.0, 0.0)  # how far from its usual place
    lung_gradient: float = 80.0  # HU from the front of the lungs to the back
    mediastinum_hu: float = -100.0  # between the lungs, around the vessels
    cortex: float = 850.0  # HU of compact bone, times bone_scale
    marrow: float = 230.0
    ribs: float = 1.0  # radius, and thickness of compact bone, times those of plain phantoms
    arches: float = 1.0  # radius of the vertebrae's arches and processes, as well
    compact: float = 1.0  # thickness of compact bone in vertebrae and sternum, as well
    cloth: float = 0.0  # thickness of what the patient wears, mm
