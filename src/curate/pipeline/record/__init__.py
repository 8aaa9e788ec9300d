"""What a run says of itself when it has ended, and whether its files still say the same."""
