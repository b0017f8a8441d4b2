"""Features that rotate: for each degree l of the spherical harmonics ``2 l + 1`` rows, by rising l and order.

They are held as ``(…, row, channel)``, row ``l² + l + m`` for the degree l and the order m from -l to l. The
harmonics are real, in Racah's normalisation and without the Condon-Shortley phase: those of degree 1 are
``(y, z, x)``.
"""
