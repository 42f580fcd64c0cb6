"""What a person sees of what takes a while, on a terminal and in a notebook; below the command line and the calls."""
