"""The queries of the routes about work."""

from sqlalchemy import text

WORK = text("""
    SELECT * FROM work_item
    WHERE (CAST(:queue AS text) IS NULL OR queue = :queue) AND (CAST(:state AS text) IS NULL OR state = :state)
      AND (CAST(:after_debtor AS text) IS NULL
           OR (-priority, due_at, debtor_id, plan_number, step_number)
            > (-CAST(:after_priority AS bigint), CAST(:after_due AS timestamptz), :after_debtor, :after_plan,
               :after_step))
    ORDER BY priority DESC, due_at, debtor_id, plan_number, step_number LIMIT :limit
""")
