// Sources of Journal.
