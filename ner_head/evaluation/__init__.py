"""Scores of predictions. No module of this package imports torch."""
