"""Features: hidden states of a frozen encoder, computed once (`extraction`) and kept in HDF5 shards (`store`)."""
