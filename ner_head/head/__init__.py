"""Stage two's network: tensors in, tensors out; no files, no strings."""
