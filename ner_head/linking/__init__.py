"""One id per entity, across documents and languages."""
