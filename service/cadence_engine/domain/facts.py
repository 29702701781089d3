"""What a step is decided on, besides the enrollment itself."""

from typing import NamedTuple

from cadence_engine.domain.schedule import zone_of


class Facts(NamedTuple):
    """The contact, its company and, if the enrollment names one, the lead, as known at one instant.

    `revisions` changes whenever any of them does: an enrollment parked on the same revisions need not be decided again.
    """

    contact_id: str
    name: str | None = None
    phone: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    conversation_id: str | None = None
    company_id: str = ""
    company_name: str | None = None
    company_locale: str | None = None
    company_time_zone: str | None = None
    lead_id: str | None = None
    board_id: str | None = None
    revisions: str = ""

    def zone(self, default: str) -> str:
        """The zone that local days are counted in."""
        return zone_of(self.time_zone, self.company_time_zone, default)

    def language(self, default: str) -> str:
        """A template language code, where the definition names none."""
        locale = self.locale or self.company_locale
        return locale.replace("-", "_") if locale else default
