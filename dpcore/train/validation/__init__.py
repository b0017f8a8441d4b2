"""Evaluations of all validation data along a run, and the best models of it."""

from dpcore.train.validation.accuracy import Accuracy
from dpcore.train.validation.best import Best, Record
from dpcore.train.validation.full import AllFrames
from dpcore.train.validation.validation import Validation, validations

__all__ = ["Accuracy", "AllFrames", "Best", "Record", "Validation", "validations"]
