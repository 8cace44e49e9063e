"""Read and verify a bundle, admit cells, run the graph: numpy, onnxruntime, msgspec only."""
