"""Names and numbers of protocols: what a decoded code is called, and which component it belongs to.

In: nothing. Out: plain tables and small lookups, no kernels. Next: `layers` turns the link type table into
arrays that kernels read; the flow table, attribution and report use the naming helpers.

Numbers are the IANA registries "IEEE 802 Numbers" (EtherTypes), "Protocol Numbers" and "PPP Numbers", and the
LINKTYPE_ registry of the libpcap file format.
"""

from __future__ import annotations

from classifier.columns import LINK_PROTO

STOPS = (
    "",  # decoding did not end early
    "cut",  # the capture holds only the first part of a header (snap length, cut file)
    "short",  # the frame or the enclosing layer's length ends inside a header
    "length",  # a header's own length field cannot be true
    "version",  # a version field does not fit the layer that announced it
    "depth",  # more layers in each other than we follow
)
"""Why decoding of a packet ended early; index is PACKET.stop."""

STOP_NONE, STOP_CUT, STOP_SHORT, STOP_LENGTH, STOP_VERSION, STOP_DEPTH = range(6)

# EtherTypes of protocols without IP. Those that carry other frames are handled by kernels in link and tunnels.
ETHERTYPES = {
    0x0200: "pup",
    0x0600: "xns_idp",
    0x0806: "arp",
    0x0842: "wake_on_lan",
    0x0BAD: "vines",
    0x22EA: "msrp",
    0x22F0: "avtp",
    0x22F4: "isis",
    0x4305: "batman",
    0x6001: "dec_mop",
    0x6002: "dec_mop",
    0x6003: "decnet",
    0x6004: "lat",
    0x6007: "dec_lavc",
    0x8035: "rarp",
    0x809B: "appletalk",
    0x80F3: "aarp",
    0x8137: "ipx",
    0x8138: "ipx",
    0x8204: "qnet",
    0x8808: "ethernet_flow_control",
    0x8809: "slow_protocols",
    0x8819: "cobranet",
    0x8863: "pppoe_discovery",
    0x886D: "intel_ans",
    0x8870: "jumbo_llc",
    0x887B: "homeplug",
    0x888E: "eapol",
    0x8892: "profinet",
    0x8899: "realtek",
    0x889A: "hyperscsi",
    0x88A2: "ata_over_ethernet",
    0x88A4: "ethercat",
    0x88AB: "powerlink",
    0x88B7: "ieee_oui_extended",
    0x88B8: "goose",
    0x88B9: "gse_management",
    0x88BA: "sampled_values",
    0x88C7: "eapol_preauth",
    0x88CA: "tipc",
    0x88CC: "lldp",
    0x88CD: "sercos",
    0x88DC: "wsmp",
    0x88E1: "homeplug_av",
    0x88E3: "mrp",
    0x88E5: "macsec",
    0x88F5: "mvrp",
    0x88F6: "mmrp",
    0x88F7: "ptp",
    0x88F8: "nc_si",
    0x88FB: "prp",
    0x8902: "cfm",
    0x8906: "fcoe",
    0x890D: "wlan_encapsulated",
    0x8912: "homeplug_mediaxtream",
    0x8914: "fip",
    0x8915: "roce",
    0x891D: "ttethernet",
    0x893A: "ieee1905",
    0x8940: "edge_control",
    0x8947: "geonetworking",
    0x9000: "loopback_test",
    0xA0ED: "lowpan",
    0xE2AE: "realtek",
}

# Frames whose last layer is not decoded. Inside a tunnel they leave the packet to the tunnel's own flow.
_WEAK = (
    "ipv4_cut",  # an IPv4 header that is cut or damaged, nothing around it to own the packet
    "ipv6_cut",
    "llc",
    "ppp",
    "pppoe",
    "mpls",
    "frame_relay",
    "macsec",  # encrypted or cut
)

# Link protocols that no EtherType names.
_OTHERS = (
    "stp",
    "cdp",
    "vtp",
    "dtp",
    "udld",
    "pagp",
    "lacp",
    "ethernet_oam",
    "esmc",
    "isis",
    "esis",
    "clnp",
    "netbeui",
    "ppp_control",  # link, network and authentication control protocols of PPP
    "slarp",
    "frame_relay_lmi",
    "wlan",  # 802.11 management, control and empty data frames
    "wlan_encrypted",
    "netlink",
    "ieee802154",
    "bluetooth",
    "usb",
    "can",
    "infiniband",
    "mtp",
    "dvb_ts",
    "docsis",
    "nsh",
    "trill",
)

LINK_PROTOCOLS: tuple[str, ...] = ("link", *dict.fromkeys((*_WEAK, *_OTHERS, *ETHERTYPES.values())))
"""Frames without IP: PACKET.proto is LINK_PROTO + index. 0, "link", is what is not decodable."""

LAST_WEAK = len(_WEAK)
LINK_CODES = {name: code for code, name in enumerate(LINK_PROTOCOLS)}

IP_PROTOCOLS = {
    0: "hopopt",
    1: "icmp",
    2: "igmp",
    3: "ggp",
    4: "ipip",
    6: "tcp",
    8: "egp",
    9: "igrp",
    17: "udp",
    27: "rdp",
    33: "dccp",
    36: "xtp",
    41: "ipv6",
    43: "ipv6-route",
    44: "ipv6-frag",
    46: "rsvp",
    47: "gre",
    48: "dsr",
    50: "esp",
    51: "ah",
    55: "mobile",
    58: "icmpv6",
    59: "ipv6-nonxt",
    60: "ipv6-opts",
    73: "cphb",
    81: "vmtp",
    83: "vines",
    88: "eigrp",
    89: "ospf",
    94: "ipip-old",
    97: "etherip",
    98: "encap",
    103: "pim",
    108: "ipcomp",
    112: "vrrp",
    113: "pgm",
    115: "l2tp",
    124: "isis",
    132: "sctp",
    133: "fc",
    135: "mobility",
    136: "udplite",
    137: "mpls-in-ip",
    138: "manet",
    139: "hip",
    140: "shim6",
    143: "ethernet",
    144: "aggfrag",
    145: "nsh",
}
"""Names of IP protocol numbers, as this program prints them."""


def protocol_name(proto: int) -> str:
    """Name of a PACKET.proto value: "tcp", "arp", "ip-proto 200", "link"."""
    if proto >= LINK_PROTO:
        code = proto - LINK_PROTO
        return LINK_PROTOCOLS[code] if code < len(LINK_PROTOCOLS) else "link"
    return IP_PROTOCOLS.get(proto, f"ip-proto {proto}")


_OF_UNCLASSIFIED = {"link": "unclassified.link", "ipv4_cut": "unclassified.ip", "ipv6_cut": "unclassified.ip"}


def component_of_link(code: int) -> str:
    """Component that owns frames without IP: "network.arp", "unclassified.link", "unclassified.ip" (cut IP headers)."""
    name = LINK_PROTOCOLS[code] if 0 <= code < len(LINK_PROTOCOLS) else "link"
    return _OF_UNCLASSIFIED.get(name, f"network.{name}")


def component_of_ip_protocol(proto: int) -> str:
    """Component that owns flows of an IP protocol without ports: "network.icmp", "unclassified.ip".

    TCP, UDP and what else has ports is attribution's: they give "unclassified.tcp", "unclassified.udp".
    """
    if proto in (6, 17):
        return f"unclassified.{IP_PROTOCOLS[proto]}"
    name = IP_PROTOCOLS.get(proto)
    return f"network.{name.replace('-', '_')}" if name else "unclassified.ip"
