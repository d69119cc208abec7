"""What is asked of the key store when a person was erased."""

from services.intake.profiles.store import KeyDue, ProfileFile
from shared.contracts.envelope import Event, Moment
from shared.keys import KeyStore
from shared.service import Decision


def destroy_key(keys: KeyStore, file: ProfileFile, event: Event[KeyDue], _now: Moment) -> Decision:
    """Destroy the debtor's data key. The erasure is committed before, and this is due until it has succeeded.

    To be asked again, after a crash or by a rehearsal, changes nothing. Raises TryLater.
    """
    keys.forget(file.debtor_id, event.data.erased_at)
    return file, ()
