"""Counts and calibration of predicted spans. Training imports this package and nothing else of `evaluation`."""
