"""Promises as they are shown."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from services.outreach.promises.domain import PromiseState


class PromiseView(BaseModel):
    """A sum that was promised, in minor units, and how far it is paid."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    promise_id: str
    contact_id: str
    amount: int
    currency: str
    promised_on: date
    last_day: date = Field(description="With the days of grace.")
    tolerance: int = Field(description="How much may be missing.")
    made_at: datetime
    made_by: str
    state: PromiseState
    paid: int = Field(description="What counts towards it.")
