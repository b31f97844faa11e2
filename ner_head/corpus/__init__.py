"""Text only: documents, segmentation, tags and file formats. Imports neither torch nor h5py."""
