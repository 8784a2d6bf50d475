"""What holds for every test: no task waits for ever, and real time is not waited for."""
