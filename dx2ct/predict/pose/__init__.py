"""How a film lies, told by a small network that is trained on rendered X-rays: view, turn, mirror, polarity, lungs.

network    the network, what it sees of a film, and its answer
told       its answer in words, where it contradicts what a film is given as
train      how its weights were made: patients, looks, others
"""
