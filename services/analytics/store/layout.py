"""The tables in which the facts and the counts lie."""

from services.analytics.domain.rows import Case, Cash, Count, DebtorRecord, KeptFact, Loan, Plan, Roll, Trial
from shared.messaging.layout import Layout, Table

LAYOUT = Layout(
    DebtorRecord,
    {
        "case": Table("collection_case", Case),
        "loans": Table("loan", Loan, key=("loan_id",)),
        "plans": Table("plan", Plan, key=("plan_number",)),
        "trials": Table("trial", Trial, key=("experiment",)),
        "facts": Table("fact", KeptFact, use="journal"),
        "rolls": Table(
            "roll",
            Roll,
            key=("scheme", "month", "lender_id", "product", "from_bucket", "to_bucket"),
            use="tally",
            amount="loans",
        ),
        "counts": Table(
            "happening", Count, key=("month", "lender_id", "subject", "kind", "detail"), use="tally", amount="times"
        ),
        "cash": Table(
            "cash", Cash, key=("month", "lender_id", "kind", "currency", "measure"), use="tally", amount="total"
        ),
    },
)
