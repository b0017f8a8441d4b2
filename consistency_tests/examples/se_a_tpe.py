"""Examples of ``se_a_tpe``, and of other descriptors in models with a ``type_embedding``."""

import numpy as np

from dpcore.descriptors import Hybrid, SeATpe, SeE2R, WithTypes
from dpcore.nn.type_embedding import TypeEmbedding
from examples.example import RCUT, RCUT_SMTH, TYPE_NAMES, standard


def embedding(seed, ntypes=2, **settings):
    """Draw a type embedding."""
    rng = np.random.default_rng(seed)
    return TypeEmbedding.create(rng, type_map=TYPE_NAMES[:ntypes], **settings)


def example(name, descriptor=None, fitting=None, **settings):
    """Make an example; what is not given is small."""
    given = {"type": "se_a_tpe", "sel": (10, 12), "neuron": (4, 8), "axis_neuron": 2}
    given |= {"type_nchanl": 3, "type_nlayer": 1} | (descriptor or {})
    return standard(f"se_a_tpe-{name}", given, fitting, **settings)


def told_hybrid():
    """Return a hybrid descriptor whose children share a type embedding."""
    types, rng = embedding(3, neuron=(2,)), np.random.default_rng(4)
    shared = {"sel": (10, 12), "type_map": TYPE_NAMES[:2], "rcut": RCUT, "rcut_smth": RCUT_SMTH}
    children = (
        SeATpe.create(
            rng, **shared, neuron=(4,), axis_neuron=2, type_embedding=types, appended=False
        ),
        SeE2R.create(rng, **shared | {"rcut": 2.6}, neuron=(3,)),
    )
    return WithTypes(descriptor=Hybrid(children=children), type_embedding=types)


EXAMPLES = [
    example("plain"),
    # The first layer adds its input, types and all.
    example(
        "one_side",
        {
            "type_one_side": True,
            "neuron": (3, 6),
            "resnet_dt": True,
            "type_embedding": embedding(1, neuron=(4, 2), resnet_dt=True, use_tebd_bias=True),
            "exclude_types": ((0, 1),),
        },
        by_place=True,
    ),
    example(
        "doubled",
        {
            "neuron": (6, 6),
            "activation_function": "gelu",
            "set_davg_zero": True,
            "env_protection": 0.1,
            "type_embedding": embedding(2, 3, neuron=(1,), activation_function="none"),
            "sel": (8, 9, 6),
        },
        {"atom_ener": (-1.0, None, 2.0), "numb_fparam": 1, "numb_aparam": 2},
        ntypes=3,
        types=np.array([0, 2, 1, 0, 1, 2, 0, 1]),
    ),
    example(
        "electrons",
        {"type_embedding": embedding(5, neuron=(3,), use_econf_tebd=True), "neuron": (4, 4)},
        {"type": "dipole"},
    ),
    example(
        "float32",
        {"precision": "float32", "type_embedding": embedding(6, neuron=(2,))},
        {"precision": "float32"},
    ),
    example("kinks", {"activation_function": "relu6", "type_nlayer": 2}, truncated=True),
    standard("with_types-hybrid", told_hybrid(), {"atom_ener": (1.0, None)}),
]
