"""A DX2CT small enough for a test: every part there, nothing else."""

import json
from typing import Any

from dx2ct.config import check, ReconstructSettings


def tiny(**run: Any) -> str:
    """Settings JSON of a tiny DX2CT run; keyword arguments change the run's row."""
    row = {"method": "dx2ct", "views": ["pa", "lateral"], "conditioning": "spade", "query_transformer": True,
           "prediction": "x0"}  # fmt: skip
    return json.dumps({
        "run": row | run,
        "volume": {"version": 2, "spacing_mm": 5.0, "size": 64, "z_part": "center", "interpolation": "linear",
                   "max_hole_mm": 40.0},
        "xray": {"version": 1, "geometry": "x2ct", "attenuation": "plastimatch"},
        "slices": {"version": 1, "size": 32},
        "model": {
            "xray_pixels": 32,
            "encoder": {"blocks": [1, 1, 1], "width_per_group": 4, "norm": "group", "pretrained": False},
            "positions": {"xray": "cone_beam", "octaves": 4, "hidden": 16, "layers": 2},
            "transformer": {"start": "match", "width": 16, "heads": 2, "blocks": 2, "mlp_ratio": 2},
            "unet": {"channels": 8, "multipliers": [1, 1, 2, 2, 2], "res_blocks": 1, "attention_levels": [3, 4],
                     "head_channels": 8, "norm_groups": 4, "spade_hidden": 8, "dropout": 0.0},
        },
        "diffusion": {"timesteps": 1000, "beta_start": 1e-4, "beta_end": 2e-2},
        "train": {"seed": 0, "steps": 6, "batch": 4, "accumulate": 1, "slices_per_patient": 2, "precision": "auto",
                  "learning_rate": 1e-3, "beta2": 0.99, "schedule": "cosine", "warmup_steps": 2, "clip_norm": 1.0,
                  "ema_decay": 0.9, "validation": {"every": 0, "split": "val", "slices": 6, "steps": 2, "patience": 0,
                                                   "keep": "last"}},
    })  # fmt: skip


def plain(**changes: Any) -> ReconstructSettings:
    """The paper's way to sample, in two steps; a dict changes a part of the consistency."""
    consistency = {"iterations": 0, "weight": 1.0, "smooth_mm": 0.0, "when": "end"} | changes.pop("consistency", {})
    values = {"solver": "ddim", "planes": "alone", "noise": "image", "steps": 2, "eta": 0.0, "seed": 0, "samples": 1,
              "batch": 64}  # fmt: skip
    return check(ReconstructSettings, **values | changes, consistency=consistency)
