"""How a report is named, and the queries of the routes; every query of an agency's names the agency."""

from sqlalchemy import text

from shared.contracts.envelope import derived_id


def report_id_of(placement_id: str, receipt: str) -> str:
    """The id of a report, which follows from the receipt: one that is sent again is the same report."""
    return derived_id(placement_id, f"receipt/{receipt}")


OWN_REPORTS = text("""
    SELECT * FROM payment_report
    WHERE agency_id = :agency AND placement_id = :placement_id
      AND (CAST(:after AS text) IS NULL OR report_id > :after)
    ORDER BY report_id LIMIT :limit
""")

# -- for staff ---------------------------------------------------------------------------------------------------------

REPORTS = text("""
    SELECT * FROM payment_report
    WHERE (CAST(:state AS text) IS NULL OR state = :state) AND (CAST(:agency AS text) IS NULL OR agency_id = :agency)
      AND (debtor_id, report_id) > (:after_debtor, :after_report)
    ORDER BY debtor_id, report_id LIMIT :limit
""")
