"""DVC entry points, run as `python -m stages.NAME`."""
