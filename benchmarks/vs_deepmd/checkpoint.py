"""Write a checkpoint of DeePMD-kit's PyTorch from its ``.dp``, which no command of it does.

It is run as a script, by DeePMD-kit's Python, with the names of both files.
"""

import sys
from typing import Any

import torch
from deepmd.dpmodel.utils.serialization import load_dp_model
from deepmd.pt.model.descriptor.base_descriptor import BaseDescriptor
from deepmd.pt.model.model import get_model
from deepmd.pt.model.model.model import BaseModel
from deepmd.pt.model.task.base_fitting import BaseFitting
from deepmd.pt.train.wrapper import ModelWrapper


def by_parts(found: dict[str, Any], settings: dict[str, Any]) -> Any:
    """Return the model of DPA-4, which is stored in another form than PyTorch's; its parts are not."""
    settings["descriptor"]["sel"] = found["descriptor"]["config"]["sel"]
    model = get_model(settings)
    parts = (
        (model.atomic_model.descriptor, BaseDescriptor.deserialize(found["descriptor"])),
        (model.atomic_model.fitting_net, BaseFitting.deserialize(found["fitting"])),
    )
    for part, given in parts:
        part.load_state_dict(given.state_dict())
    return model


source, target = sys.argv[1:]
data = load_dp_model(source)
script = data["model_def_script"]
is_dpa4 = script.get("type") == "dpa4"
wrapper = ModelWrapper(
    by_parts(data["model"], script) if is_dpa4 else BaseModel.deserialize(data["model"])
)
state = wrapper.state_dict()
state["_extra_state"] = {"model_params": script, "train_infos": {}}
torch.save({"model": state}, target)
