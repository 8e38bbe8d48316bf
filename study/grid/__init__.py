"""How runs get to machines: the plan, jobs, notebooks, GPUs, progress, archives. Without Keras."""
