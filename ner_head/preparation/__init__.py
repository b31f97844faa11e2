"""A corpus as train, dev and test documents: sentences, words, spans that fit them, and an account of what was lost."""
