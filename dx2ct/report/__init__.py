"""Tables, figures and one self-contained page about runs that have been scored."""
