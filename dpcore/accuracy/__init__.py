"""How far a model's predictions lie from labelled data: the numbers of ``dp test``."""

from dpcore.accuracy.details import DetailFiles
from dpcore.accuracy.errors import Error, SystemErrors, weighted_average
from dpcore.accuracy.quantities import QUANTITIES, Quantity, report
from dpcore.accuracy.systems import choose_frames, model_errors, system_errors

__all__ = [
    "QUANTITIES",
    "DetailFiles",
    "Error",
    "Quantity",
    "SystemErrors",
    "choose_frames",
    "model_errors",
    "report",
    "system_errors",
    "weighted_average",
]
