"""Set up a project: find out what a corpus is, and write the params and the pipeline for it."""
