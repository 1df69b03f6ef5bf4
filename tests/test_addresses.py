"""Addresses as text and as words, against Python's own way, and `tables.addresses`."""

from __future__ import annotations

from ipaddress import ip_address

import numpy as np
import pytest
from flowtables import flow, table

from classifier.arrays import distinct
from classifier.flows.table import address_texts, address_words
from classifier.tables.addresses import Addresses

ODD = (
    "1.2.3.4", "0.0.0.0", "255.255.255.255", "::", "fd00::5", "::ffff:1.2.3.4", "fe80::1%eth0",
    "", "...", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.+4", " 1.2.3.4", "1.2.3.4\n", "1.2.3.٣", "a.b.c.d",
)  # fmt: skip
"""Addresses, and what looks like one."""


@pytest.mark.parametrize("text", ODD)
def test_addresses_are_read_as_python_reads_them(text: str) -> None:
    try:
        known = ip_address(text)
    except ValueError:
        with pytest.raises(ValueError, match="IPv4 or IPv6"):
            address_words(text)
        return
    version, words = address_words(text)
    assert (version, sum(word << shift for word, shift in zip(words, (96, 64, 32, 0), strict=True))) == (
        known.version,
        int(known),
    )


def test_addresses_of_both_versions_are_written_as_they_are_read() -> None:
    texts = ["10.0.0.1", "fd00::5", "255.0.254.3", "::ffff:102:304"]
    read = [address_words(text) for text in texts]
    words = np.array([words for _, words in read], "u4")
    version = np.array([version for version, _ in read], "u1")
    assert [ip_address(text) for text in address_texts(words, version)] == [ip_address(text) for text in texts]


def test_distinct_numbers_ascend_as_the_addresses_do() -> None:
    flows = (
        flow("tcp", "[fd00::9]:50000", "[fd00::5]:80"),
        flow("tcp", "10.0.0.9:50000", "10.0.0.10:80"),
        flow("tcp", "10.0.0.9:50001", "9.0.0.1:80"),
    )
    addresses = Addresses(table(flows))
    numbers = distinct(np.concatenate([addresses.resp, addresses.orig, addresses.resp]))
    assert addresses.texts(numbers).tolist() == ["9.0.0.1", "10.0.0.9", "10.0.0.10", "fd00::5", "fd00::9"]
    assert [addresses.find(addresses.text(int(number))) for number in numbers] == numbers.tolist()
