"""What a program should choose: where the winner changes, how near the limit, at which price."""
