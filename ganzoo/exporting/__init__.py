"""From a trained generator to an ONNX file that is proven to be the same function."""
