"""The base forms of mentions: from a lexicon of train, and from a head over cached vectors."""
