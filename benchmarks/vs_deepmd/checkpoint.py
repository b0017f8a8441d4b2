"""Write a checkpoint of DeePMD-kit's PyTorch from its ``.dp``, which no command of it does.

It is run as a script, by DeePMD-kit's Python, with the names of both files.
"""

import sys

import torch
from deepmd.dpmodel.utils.serialization import load_dp_model
from deepmd.pt.model.model import BaseModel
from deepmd.pt.train.wrapper import ModelWrapper

source, target = sys.argv[1:]
data = load_dp_model(source)
wrapper = ModelWrapper(BaseModel.deserialize(data["model"]))
state = wrapper.state_dict()
state["_extra_state"] = {"model_params": data["model_def_script"], "train_infos": {}}
torch.save({"model": state}, target)
