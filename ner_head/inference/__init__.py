"""Features to entities: tags, spans, probabilities, and models on disk."""
