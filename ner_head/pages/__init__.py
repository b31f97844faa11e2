"""HTML pages to look at, self-contained."""
