"""What the administrator decided about authentication, as the checks take it."""

from __future__ import annotations

from collections.abc import Callable

from infra.ports import EngineDown
from mail.authentication.domains import DomainError, to_ascii
from mail.authentication.evaluate import AuthSettings
from mailfold.settings import Settings, SettingsError


def auth_settings(settings: Settings, hosted: frozenset[str] = frozenset()) -> AuthSettings:
    """Return what decides a verdict; `hosted` are the domains that mail is accepted for.

    Raises SettingsError.
    """
    return AuthSettings(
        trusted_sealers=_domains("trusted_sealers", settings.trusted_sealers),
        protected_domains=hosted,
    )


class CurrentPolicy:
    """The settings with the domains that are hosted at the time of each call."""

    def __init__(self, settings: Settings, hosted: Callable[[], frozenset[str]]) -> None:
        """Raises SettingsError."""
        self._settings = settings
        self._hosted = hosted
        self._made = auth_settings(settings)

    def __call__(self) -> AuthSettings:
        """Return the settings; when the directory can't be asked, those of the time before."""
        try:
            hosted = self._hosted()
        except EngineDown:
            # Whom a sender may be mistaken for is a hint for the score: mail does not wait for it.
            return self._made
        if hosted != self._made.protected_domains:
            self._made = auth_settings(self._settings, hosted)
        return self._made


def _domains(setting: str, text: str) -> frozenset[str]:
    try:
        return frozenset(to_ascii(one) for one in text.split(",") if one.strip())
    except DomainError as error:
        raise SettingsError(f"setting {setting}: {error}") from error
