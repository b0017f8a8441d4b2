"""The learning rate of each step."""

from dpcore.train.schedules.cosine import Cosine
from dpcore.train.schedules.exponential import Exponential
from dpcore.train.schedules.schedule import SCHEDULES, Schedule
from dpcore.train.schedules.wsd import WarmupStableDecay

__all__ = ["SCHEDULES", "Cosine", "Exponential", "Schedule", "WarmupStableDecay"]
