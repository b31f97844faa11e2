"""The HTTP server of `ner-head serve`."""
