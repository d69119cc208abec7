"""Files of rows: examined as a whole, then sent row by row, so that a run that was killed goes on where it stopped."""
