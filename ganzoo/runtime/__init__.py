"""Runs exported generators with ONNX Runtime; never imports torch."""
