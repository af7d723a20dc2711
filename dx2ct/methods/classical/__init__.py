"""Classical reconstructions: back-projection, plain or filtered, and SART."""
