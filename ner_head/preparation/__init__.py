"""Prepare a corpus: split it into train, dev and test documents, segment them, and count what is lost."""
