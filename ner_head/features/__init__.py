"""Stage one: the frozen encoder's hidden layers, computed once and kept in HDF5 shards."""
