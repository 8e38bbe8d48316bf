"""What is made of tables: figures, README's tables, the paper. Without Keras."""
