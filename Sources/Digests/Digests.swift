// Sources of Digests.
