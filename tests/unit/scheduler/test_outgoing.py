"""Where signed messages may go, and when they are tried again."""

from ipaddress import ip_address

import pytest

from services.scheduler.outgoing import TRIES, AddressRefused, allowed, checked_url, pause


@pytest.mark.parametrize(
    ("address", "live", "other"),
    [
        ("93.184.215.14", True, False),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True, False),
        ("127.0.0.1", False, True),
        ("10.1.2.3", False, True),
        ("192.168.1.10", False, True),
        ("::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("169.254.169.254", False, False),
        ("224.0.0.1", False, False),
        ("0.0.0.0", False, False),
    ],
)
def test_a_live_installation_posts_to_public_addresses_only_and_any_other_one_to_its_own_network(
    address: str, live: bool, other: bool
) -> None:
    assert (allowed(ip_address(address), live=True), allowed(ip_address(address), live=False)) == (live, other)


@pytest.mark.parametrize(
    "url",
    [
        "http://erp.example.com/hook",
        "ftp://erp.example.com",
        "https://ada:pw@erp.example.com",
        "https://",
        "https://[1",
    ],
)
def test_a_live_installation_takes_plain_https_addresses_only(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        checked_url(url, live=True)
    assert (refused.value.field, bool(refused.value.remedy_text)) == ("url", True)
    assert checked_url("http://erp.test:8080/hook", live=False)


def test_a_door_that_fails_waits_ever_longer_up_to_six_hours() -> None:
    waits = [pause(failures) for failures in range(1, TRIES)]
    assert waits[:4] == [5.0, 20.0, 80.0, 320.0]
    assert sum(waits) > 24 * 3600
    assert pause(TRIES) == pause(10_000) == max(waits) == 6 * 3600
