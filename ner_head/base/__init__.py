"""What every other part may import: errors, params, whole files, how a program starts and ends."""
