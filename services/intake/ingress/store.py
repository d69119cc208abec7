"""Where the directory of loans lies."""

from services.intake.ingress.domain import DirectoryRow, Expiry, LoanEntry, ParkedEvent
from shared.messaging.layout import Layout, Table

LAYOUT = Layout(
    LoanEntry,
    {
        "entry": Table("loan_directory", DirectoryRow),
        "parked": Table("loan_parked", ParkedEvent, key=("event_id",)),
        "expiry": Table("loan_expiry", Expiry, due="due_at"),
    },
    owner="loan_key",
    shared=True,
)
