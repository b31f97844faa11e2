"""Named experiments: files of params, assignments on command lines, and the ablation."""
