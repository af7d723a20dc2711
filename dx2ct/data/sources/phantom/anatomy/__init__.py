"""A procedural adult thorax: numbers drawn from a seed, implicit surfaces built on them, painted on any CT grid.

parameters  what varies from patient to patient, and the landmarks that follow from it
shape       what is of one form in plain patients and of many in varied ones
draw        a plain patient's numbers from a seed, lung nodules included
varied      a varied patient's
surfaces    skin, thoracic cavity, diaphragm, mediastinum, heart, lungs as signed distances
canvas      a CT grid and the painting of shapes on it with soft edges
couch, soft_tissue, limbs, abdomen, disease, vessels, bones     what is painted
warp        the bending of a whole varied patient
render      all of it in its order, noise-free HU on one grid

Patient frame: x to the patient's left, y to the posterior, z to the head, millimetres; x = 0 is the midline, y = 0
halfway between the skin of chest and back, z = 0 halfway up the lungs. The scanner's frame is this one plus
`Anatomy.shift_mm`.
"""

from dx2ct.data.sources.phantom.anatomy.draw import draw_anatomy
from dx2ct.data.sources.phantom.anatomy.parameters import Anatomy
from dx2ct.data.sources.phantom.anatomy.render import render
from dx2ct.data.sources.phantom.anatomy.varied import draw_varied

__all__ = ["Anatomy", "draw_anatomy", "draw_varied", "render"]
