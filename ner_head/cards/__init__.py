"""The card of a model: what it was trained on, how good it is, and its limits."""
