"""What is made of samples: sets to train on, of any size, and films."""
