"""What a run costs: parameters, operations, speed, memory."""
