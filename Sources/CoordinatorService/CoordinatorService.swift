// Sources of CoordinatorService.
