"""What the allocator and the lanes make of cases that are to go to agencies."""
