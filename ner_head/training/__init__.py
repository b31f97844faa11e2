"""How a head learns, from shards alone: no encoder is in memory."""
