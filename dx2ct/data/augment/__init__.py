"""Changed copies of prepared scans, with X-rays rendered from them: what a training sees instead of the scan itself.

Everything is tensors on one device; random numbers come from a NumPy generator that the caller seeds.
"""
