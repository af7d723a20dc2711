"""From noise to a volume: solvers, planes that advance together, consistency with the X-rays.

A solver is a pure function of schedule, network and noise, and one line of SOLVERS. It knows no network.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from dx2ct.config import SamplingOptions
from dx2ct.config.keys import BadKeyError


@dataclass(frozen=True)
class Solver:
    """A solver: its paper, whether it can add fresh noise (eta), and "module:function", imported when it is used."""

    title: str
    source: str
    function: str
    takes_eta: bool = False

    def load(self) -> Any:
        """The function (schedule, prediction, network, noise, steps, eta, generator, revise) -> clean slices."""
        module, _, name = self.function.partition(":")
        return getattr(import_module(module), name)


SOLVERS = {
    "ddim": Solver("DDIM", "Song et al. 2021, eq. 12", "dx2ct.samplers.ddim:ddim", takes_eta=True),
    "dpm": Solver("DPM-Solver++ 2M", "Lu et al. 2022, algorithm 2", "dx2ct.samplers.dpm:dpm"),
}


def require_solver(options: SamplingOptions) -> Solver:
    """The solver of some options; BadKeyError, a ValueError, for an unknown one or one that cannot do what is asked."""
    if options.solver not in SOLVERS:
        raise BadKeyError("solver", f"{options.solver} is not one of {', '.join(SOLVERS)}")
    solver = SOLVERS[options.solver]
    if options.eta and not solver.takes_eta:
        raise BadKeyError("eta", f"{options.eta} with solver {options.solver}, which adds no fresh noise: set it to 0")
    return solver
