"""Taking a model elsewhere: MindIR, ONNX, and the folder that a course hands in."""
