"""How methods that learn are trained: batches, steps, states, processes, logs."""
