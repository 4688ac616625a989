"""What the console refuses besides the common errors."""

from libs.common.errors import Conflict, Forbidden, NotFound, Refused


class SecondPersonNeeded(Forbidden):
    """The person who proposed it cannot approve it."""

    code = "second_person_needed"
    remedy = "Ask another person with the right to approve."


class AlreadyDecided(Conflict):
    """Somebody decided this before."""

    code = "already_decided"
    remedy = "Look at the list again."


class NameTaken(Conflict):
    """Something else has this name already."""

    code = "name_taken"


class StillInShadow(Conflict):
    """An entity is watched for a full day before its first reminder may leave."""

    code = "still_in_shadow"
    remedy = (
        "Look at what it would say (GET /v1/plan) and release it a day after; or waive its run_in if it was proven."
    )


class PasswordTooWeak(Refused):
    """The password is too short or too common."""

    code = "password_too_weak"
    remedy = "Take at least 15 characters that are not the name or address of the account."


class CannotSignIn(Forbidden):
    """The e-mail or the password is wrong, or the account is locked for some minutes."""

    code = "cannot_sign_in"


class FromElsewhere(Forbidden):
    """The request did not come from a page of this console."""

    code = "from_elsewhere"
    remedy = "Open the page again and repeat what you did."


class NoSuchPage(NotFound):
    """There is no such page."""

    code = "no_such_page"
