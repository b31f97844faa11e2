"""Models as ONNX graphs: the export, and a recognizer that needs no torch."""
