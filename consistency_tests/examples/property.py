"""Examples of ``property``."""

from examples.dipole import SMALL
from examples.example import standard

EXAMPLES = [
    standard(
        "property",
        SMALL,
        {
            "type": "property",
            "property_name": "foo",
            "task_dim": 3,
            "numb_fparam": 1,
            "default_fparam": (0.3,),
            "numb_aparam": 2,
            "dim_case_embd": 2,
            "exclude_types": (1,),
        },
        by_place=True,
    ),
    standard(
        "property_intensive",
        SMALL,
        {"type": "property", "property_name": "band-gap.1", "intensive": True},
        model={"atom_exclude_types": (0,)},
    ),
    standard(
        "property_shared_statistics",
        SMALL,
        {
            "type": "property",
            "property_name": "gap",
            "task_dim": 2,
            "intensive": True,
            "distinguish_types": False,
            "activation_function": "softplus",
            "resnet_dt": False,
            "precision": "float32",
        },
    ),
]
