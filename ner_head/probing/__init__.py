"""Hidden states for other people's programs: a torch data set, and files in common layouts."""
