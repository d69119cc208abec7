"""The faults, as a table. Each does its harm, waits until it shows, mends it, and waits until that shows too."""

from tests.chaos import broker_faults, clock_faults, database_faults, process_faults

FAULTS = (*process_faults.FAULTS, *database_faults.FAULTS, *broker_faults.FAULTS, *clock_faults.FAULTS)
