"""A pytest plugin: tests marked `gpu` find the stand-in, also while they are collected."""

from tests.stand_in.device import stand_in

_in_use = stand_in()
_in_use.__enter__()
