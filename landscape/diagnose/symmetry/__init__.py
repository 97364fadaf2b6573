"""Permutations of a model's units that leave its outputs as they are; knows no SGD."""
