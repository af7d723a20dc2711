"""What the networks of several methods share."""
