"""Jobs: one definition of each for the command line, the service and the tests."""
