"""What is measured once and written as tables: claims, rate and distortion, sample images, downstream use."""
