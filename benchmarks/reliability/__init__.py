"""What a failing machine does to the pipeline: kills, faults, and other surroundings, on a small project."""
