"""Counts and probabilities of predicted spans: what training needs, and every report."""
