"""Training of heads on cached features. No encoder is loaded."""
