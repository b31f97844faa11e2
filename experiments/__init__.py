"""Named experiments: files of params, and the ablation."""
