"""What a person, or a program, sits at: each is a `triochat.terminal.Terminal`."""
