"""Documents, segmentation, tags and word features. Nothing here imports torch or h5py."""
