"""From noise to a volume: solvers, planes that advance together, consistency with the X-rays; pure functions."""
