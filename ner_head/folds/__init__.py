"""Heads trained on parts of a corpus, from cached features: k folds, and what the heads say of documents held out."""
