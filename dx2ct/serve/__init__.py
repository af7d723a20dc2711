"""dx2ct serve: a page and an HTTP API on this machine that do what `predict` does.

Two processes: a light one that answers requests (app.py), and a worker that holds the network and reads the films
(worker.py). A file that ends or hangs a reader ends the worker alone, and a new one is started.
"""
