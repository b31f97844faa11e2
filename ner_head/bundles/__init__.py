"""Models with their encoders in one folder or one wheel, for use anywhere without the hub."""
