"""Examples of ``dpa4``, which between them use every setting."""

import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from dpcore.descriptors import DPA4
from dpcore.models import InnerPotential, LinearModel
from dpcore.tree import Leaf, rebuild
from examples.example import RCUT, TYPE_NAMES, Example, shaken, standard

SMALL = {"rcut": RCUT, "channels": 4, "n_radial": 4, "lmax": 2, "n_blocks": 1, "ffn_neurons": 5}
SMALL |= {"sel": (60,), "mixing_layers": 2, "precision": "float64"}


def filled(descriptor: DPA4) -> DPA4:
    """Return a descriptor with parameters that follow from their paths, none of them zero or one."""

    # Normalised features are the larger ones, and change within shorter distances.
    told = descriptor.edges, descriptor.messages
    gain = 0.5 if told[0].edge_norm or told[1].edge_cartesian else 0.85

    def leaf(path: str, own: Leaf) -> Any:
        if own.role != "param":
            return own.value
        rng, sizes = np.random.default_rng(zlib.crc32(path.encode())), own.value.shape
        name = path.rpartition(".")[2]
        drawn = rng.normal(0.0, 1.0, sizes)
        if name == "weight":
            drawn = gain * drawn * sizes[-2] ** -0.5
        elif name == "scale":
            drawn = 1.0 + 0.3 * drawn
        elif name == "places":
            drawn = own.value * (1.0 + 0.1 * drawn)
        else:
            drawn = 0.5 * drawn
        return drawn.astype(own.value.dtype)

    return rebuild(descriptor, leaf)


def descriptor(*, ntypes: int = 2, **settings: Any) -> DPA4:
    """Make a descriptor; what is not given is small."""
    told = SMALL | settings
    return filled(DPA4.create(np.random.default_rng(0), type_map=TYPE_NAMES[:ntypes], **told))


def example(name: str, *, fitting: dict[str, Any] | None = None, **settings: Any) -> Example:
    """Make an example."""
    part = {"type": "dpa4_ener", "precision": "float64"} | (fitting or {})
    # Maps that turn with the frame of an edge tell its left from its right.
    handed = bool(settings.get("mixing_layers", 2))
    return standard(f"dpa4_{name}", descriptor(**settings), part, handed=handed)


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {"n_blocks": 2, "env_exp": (6, 4), "exclude_types": ((0, 1),)},
    "foci": {
        "n_focus": 2,
        "focus_dim": 6,
        "so2_norm": True,
        "layer_scale": True,
        "n_atten_head": 3,
        "atten_v_proj": True,
        "atten_o_proj": True,
        "mlp_bias": True,
        "sandwich_norm": (True, False, False, True),
        "radial_so2_rank": 2,
        "so2_attn_res": "dependent",
        "block_attn_res": "independent",
        "ffn_blocks": 2,
        "basis_type": "gaussian",
        "radial_mlp": (0, 5),
        "sel": (40,),
        "use_env_seed": False,
    },
    "mixed": {
        "n_focus": 2,
        "atten_f_mix": True,
        "radial_so2_mode": "degree",
        "so2_attn_res": "independent",
        "full_attn_res": "dependent",
        "l_schedule": (2, 1),
        "m_schedule": (2, 1),
        "extra_node_l": 1,
        "s2_activation": (True, True),
        "lebedev_quadrature": (True, False),
        "eps": 1e-6,
        "edge_norm": False,
        "add_chg_spin_ebd": True,
        "default_chg_spin": (-1.0, 2.0),
    },
    "sums": {
        "n_atten_head": 0,
        "radial_so2_mode": "none",
        "mixing_layers": 0,
        "use_env_seed": False,
        "edge_norm": False,
        "s2_activation": (False, False),
        "glu_activation": False,
        "activation_function": "tanh",
        "readout_layers": 2,
        "ffn_neurons": 0,
        "n_focus": 2,
    },
    "sphere": {
        "node_wise_s2": True,
        "message_node_s2": True,
        "radial_so2_rank": 0,
        "mmax": None,
        "grid_branch": (2, 0, 2),
        "lebedev_quadrature": None,
        "random_gamma": False,
    },
    "rotations": {
        "node_wise_so3": True,
        "message_node_so3": True,
        "ffn_so3_grid": True,
        "kmax": 2,
        "edge_norm": False,
        "grid_mlp": True,
        "so3_readout": "mlp",
        "full_attn_res": "independent",
        "block_attn_res": "none",
        "mixing_layers": 1,
    },
    "cartesian": {
        "edge_cartesian": True,
        "edge_norm": False,
        "node_cartesian": "parity:2",
        "n_focus": 2,
        "so3_readout": "glu",
        "block_attn_res": "dependent",
        "mlp_bias": True,
    },
    # Distances are frozen where the nearest neighbours of the frames are.
    "spin": {
        "use_spin": (True, False),
        "inner_clamp_r_inner": 1.2,
        "inner_clamp_r_outer": 2.8,
    },
}


def film() -> Example:
    """Make an example in which the vector that names the data set scales the layers of the fitting."""
    told = {"dim_case_embd": 2, "case_film_embd": True, "numb_fparam": 1, "numb_aparam": 2}
    told["neuron"] = (5, 3)
    one = example("film", lmax=1, mixing_layers=1, edge_norm=False, fitting=told)
    rng = np.random.default_rng(2)

    def leaf(path: str, own: Leaf) -> Any:
        new = ".film." in path
        return 0.5 * rng.normal(size=own.value.shape) if new else own.value

    fitting = rebuild(one.model.fitting, leaf)
    return replace(one, model=one.model.with_(fitting=fitting))


def bridged() -> Example:
    """Make an example with the repulsion of nuclei, in which all atoms have spins."""
    told = {"use_spin": (True, True), "n_atten_head": 0, "inner_clamp_r_inner": 1.0}
    learned = example("bridged", **told, inner_clamp_r_outer=2.9)
    names = learned.model.type_map
    inner = InnerPotential.create(type_map=names, rcut=RCUT, sel=(60,))
    about = {"type_map": names, "weights": "sum", "pair_exclude_types": ((1, 1),)}
    whole = LinearModel.create(models=(learned.model, inner), **about)
    # The repulsion ends at the cutoff.
    return replace(learned, model=shaken(whole, np.random.default_rng(1)), smooth=False)


EXAMPLES = [
    example("plain", **OPTIONS["plain"], fitting={"neuron": (0, 7), "bias_out": True}),
    *(example(name, **told) for name, told in OPTIONS.items() if name != "plain"),
    example("float32", precision="float32", trainable=False, mmax=0),
    film(),
    bridged(),
]
