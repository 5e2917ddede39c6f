// Sources of Coordinator.
