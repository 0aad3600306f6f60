"""Pre-training: which windows of the bars it sees, what it asks of the encoder, the training, and what was learned."""
