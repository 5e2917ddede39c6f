// Sources of ActiveLearning.
