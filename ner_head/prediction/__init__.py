"""Prediction of texts: where they come from, groups of them, which results are kept, and how they are written."""
