"""What an investigation asks, in which order, and what follows: rules on stored results, without training and without torch."""
