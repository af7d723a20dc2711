"""Simulated radiographs: X-rays of a CT as a film looks, with the truth known.

    draw_look(generator)                        how one film was taken and developed, every number drawn at random
    simulate(volume, view, generator, look)     a film of a CT in a view of drr
    develop(lengths, view, generator, look)     the same of material path lengths that are known already

For research only: a simulated film is no patient's.
"""

from drr.film.draws import draw_look, HELD_OUT, Ranges, TRAINING
from drr.film.look import Look
from drr.film.simulate import develop, Film, simulate

__all__ = ["HELD_OUT", "TRAINING", "Film", "Look", "Ranges", "develop", "draw_look", "simulate"]
