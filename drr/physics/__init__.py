"""X-rays as photons of many energies: tube, patient of three materials, scatter, detector and noise.

    tube        the spectrum of a tube and its filters
    materials   a CT as air, soft tissue and bone, and how much of each a ray meets
    detector    what a scintillator makes of the photons behind the patient
    scatter     what the patient scatters onto the detector, and what a grid lets through
    noise       what counting photons adds

drr.film makes radiographs of them.
"""
