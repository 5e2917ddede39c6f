// Sources of WorkerService.
