"""What every other part may import: errors, params, files written as a whole, and the start and end of a program."""
