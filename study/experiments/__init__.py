"""What is trained and kept: studies, presets, runs, tables. Without Keras."""
