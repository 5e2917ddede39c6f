// Sources of Transport.
