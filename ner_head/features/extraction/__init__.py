"""Stage one: the frozen encoder turns words into features."""
