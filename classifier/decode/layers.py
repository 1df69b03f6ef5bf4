"""What can come next while a frame is decoded: layer kinds, encapsulation codes, link type table.

A layer kernel gets the place of its header and returns `(kind, value, at, limit, layer)`: what follows, a value
that belongs to it (an EtherType, an IP protocol, a stop reason), where it begins, where it ends by what the
headers say (the captured bytes may end earlier), and the encapsulation code it adds around what follows (0: none).
"""

from __future__ import annotations

import numpy as np

from classifier.columns import ENCAPSULATIONS
from classifier.decode.protocols import LINK_CODES

# --- kinds -----------------------------------------------------------------------------------------------------
DONE = 0  # nothing more to decode
STOPPED = 1  # value: stop reason; this header was not whole, so the layers before it own the packet
HALTED = 2  # value: stop reason; the layers up to and with this one own the packet
NAMED = 3  # value: link protocol; the frame has no IP layer that we know
ETHERTYPE = 4  # value: EtherType of what follows
IP = 5  # version by its first nibble
IPV4 = 6
IPV6 = 7
TRANSPORT = 8  # value: IP protocol number
ETHERNET = 9
VLAN = 10
LLC = 11  # 802.2, also carries SNAP
RAW_LINK = 12  # value: link type, from a header that names one (PPI, PKTAP)
COOKED = 13  # Linux cooked v1
COOKED2 = 14
FDDI = 15
TOKEN_RING = 16
NULL_FAMILY = 17  # BSD loopback: address family in the byte order of the writer
LOOP_FAMILY = 18  # the same, most significant byte first
ENC = 19
PFLOG = 20
NFLOG = 21
PKTAP = 22
ERF = 23
SKIP = 24  # value: bytes before an Ethernet header
SWITCH_TAG = 25  # value: bytes of a switch's tag between the Ethernet addresses and the EtherType

SERIAL = 32  # --- from here: serial lines
PPP = 32  # PPP protocol field, address and control bytes allowed before it; value 1: inside another tunnel
HDLC = 33  # PPP in HDLC framing, or Cisco HDLC
FRAME_RELAY = 34
MULTILINK_FRAME_RELAY = 35
SLIP = 36
PPP_DIRECTION = 37
SUNATM = 38

RADIO = 48  # --- from here: 802.11
WLAN = 48  # value 1: header padded to four bytes
RADIOTAP = 49
PRISM = 50
AVS = 51
PPI = 52

TUNNEL = 64  # --- from here: layers that carry frames or packets
PPPOE = 64
MPLS = 65
PW_ETHERNET = 66  # pseudowire: Ethernet with or without control word
GRE = 67  # value 1: in UDP
ERSPAN = 68
VXLAN = 69
VXLAN_GPE = 70
GENEVE = 71
GTPU = 72
TZSP = 73
PBB = 74
MACSEC = 75
SHIM = 76  # value: bytes of a tag that ends with the next EtherType
ETHERIP = 77
NSH = 78
TRILL = 79
WCCP = 80

# --- encapsulation codes ---------------------------------------------------------------------------------------
E_NONE = 0
E_VLAN = ENCAPSULATIONS.index("vlan")
E_MPLS = ENCAPSULATIONS.index("mpls")
E_PPPOE = ENCAPSULATIONS.index("pppoe")
E_PPP = ENCAPSULATIONS.index("ppp")
E_GRE = ENCAPSULATIONS.index("gre")
E_NVGRE = ENCAPSULATIONS.index("nvgre")
E_ERSPAN = ENCAPSULATIONS.index("erspan")
E_VXLAN = ENCAPSULATIONS.index("vxlan")
E_GENEVE = ENCAPSULATIONS.index("geneve")
E_IPIP = ENCAPSULATIONS.index("ipip")
E_6IN4 = ENCAPSULATIONS.index("6in4")
E_GTPU = ENCAPSULATIONS.index("gtpu")
E_TZSP = ENCAPSULATIONS.index("tzsp")
E_AH = ENCAPSULATIONS.index("ah")
E_GRE_UDP = ENCAPSULATIONS.index("gre-udp")
E_4IN6 = ENCAPSULATIONS.index("4in6")
E_6IN6 = ENCAPSULATIONS.index("ipv6-ipv6")
E_PBB = ENCAPSULATIONS.index("pbb")
E_EOIP = ENCAPSULATIONS.index("eoip")
E_MACSEC = ENCAPSULATIONS.index("macsec")
E_OTHER = ENCAPSULATIONS.index("other")

LAYER_BITS = 5
MAX_LAYERS = 12  # kept in `encap`; further ones are followed but not listed
MAX_TUNNELS = 12  # nested tunnels that are followed (VLAN tags do not count)

# --- link types ------------------------------------------------------------------------------------------------
LINK_TYPES: dict[int, tuple[str, int]] = {
    0: ("NULL", NULL_FAMILY),
    1: ("ETHERNET", ETHERNET),
    5: ("CHAOS", 0),
    6: ("IEEE802_5", TOKEN_RING),
    7: ("ARCNET_BSD", 0),
    8: ("SLIP", SLIP),
    9: ("PPP", PPP),
    10: ("FDDI", FDDI),
    12: ("RAW", IP),  # DLT_RAW of most systems
    14: ("RAW", IP),  # DLT_RAW of OpenBSD
    50: ("PPP_HDLC", HDLC),
    51: ("PPP_ETHER", PPPOE),
    99: ("SYMANTEC_FIREWALL", 0),
    100: ("ATM_RFC1483", LLC),
    101: ("RAW", IP),
    104: ("C_HDLC", HDLC),
    105: ("IEEE802_11", WLAN),
    107: ("FRELAY", FRAME_RELAY),
    108: ("LOOP", LOOP_FAMILY),
    109: ("ENC", ENC),
    113: ("LINUX_SLL", COOKED),
    114: ("LTALK", 0),
    117: ("PFLOG", PFLOG),
    119: ("IEEE802_11_PRISM", PRISM),
    122: ("IP_OVER_FC", 0),
    123: ("SUNATM", SUNATM),
    127: ("IEEE802_11_RADIOTAP", RADIOTAP),
    129: ("ARCNET_LINUX", 0),
    138: ("APPLE_IP_OVER_IEEE1394", 0),
    139: ("MTP2_WITH_PHDR", 0),
    140: ("MTP2", 0),
    141: ("MTP3", 0),
    142: ("SCCP", 0),
    143: ("DOCSIS", 0),
    144: ("LINUX_IRDA", 0),
    **{147 + number: (f"USER{number}", 0) for number in range(16)},
    163: ("IEEE802_11_AVS", AVS),
    166: ("PPP_PPPD", PPP_DIRECTION),
    169: ("GPRS_LLC", 0),
    177: ("LINUX_LAPD", 0),
    182: ("MFR", MULTILINK_FRAME_RELAY),
    187: ("BLUETOOTH_HCI_H4", 0),
    188: ("IEEE802_16_MAC_CPS", 0),
    189: ("USB_LINUX", 0),
    190: ("CAN20B", 0),
    192: ("PPI", PPI),
    195: ("IEEE802_15_4_WITHFCS", 0),
    196: ("SITA", 0),
    197: ("ERF", ERF),
    201: ("BLUETOOTH_HCI_H4_WITH_PHDR", 0),
    203: ("LAPD", 0),
    204: ("PPP_WITH_DIR", PPP_DIRECTION),
    209: ("IPMB_LINUX", 0),
    215: ("IEEE802_15_4_NONASK_PHY", 0),
    220: ("USB_LINUX_MMAPPED", 0),
    224: ("FC_2", 0),
    226: ("IPNET", 0),
    227: ("CAN_SOCKETCAN", 0),
    228: ("IPV4", IP),
    229: ("IPV6", IP),
    230: ("IEEE802_15_4_NOFCS", 0),
    231: ("DBUS", 0),
    235: ("DVB_CI", 0),
    236: ("MUX27010", 0),
    239: ("NFLOG", NFLOG),
    240: ("NETANALYZER", SKIP),
    241: ("NETANALYZER_TRANSPARENT", SKIP),
    242: ("IPOIB", 0),
    243: ("MPEG_2_TS", 0),
    245: ("NFC_LLCP", 0),
    247: ("INFINIBAND", 0),
    248: ("SCTP", 0),
    249: ("USBPCAP", 0),
    250: ("RTAC_SERIAL", 0),
    251: ("BLUETOOTH_LE_LL", 0),
    252: ("WIRESHARK_UPPER_PDU", 0),
    253: ("NETLINK", 0),
    254: ("BLUETOOTH_LINUX_MONITOR", 0),
    255: ("BLUETOOTH_BREDR_BB", 0),
    256: ("BLUETOOTH_LE_LL_WITH_PHDR", 0),
    257: ("PROFIBUS_DL", 0),
    258: ("PKTAP", PKTAP),
    259: ("EPON", 0),
    260: ("IPMI_HPM_2", 0),
    264: ("ISO_14443", 0),
    265: ("RDS", 0),
    266: ("USB_DARWIN", 0),
    268: ("SDLC", 0),
    270: ("LORATAP", 0),
    271: ("VSOCK", 0),
    272: ("NORDIC_BLE", 0),
    273: ("DOCSIS31_XRA31", 0),
    274: ("ETHERNET_MPACKET", SKIP),
    275: ("DISPLAYPORT_AUX", 0),
    276: ("LINUX_SLL2", COOKED2),
    278: ("OPENVIZSLA", 0),
    279: ("EBHSCR", 0),
    280: ("VPP_DISPATCH", 0),
    281: ("DSA_TAG_BRCM", SWITCH_TAG),
    282: ("DSA_TAG_BRCM_PREPEND", SKIP),
    283: ("IEEE802_15_4_TAP", 0),
    284: ("DSA_TAG_DSA", SWITCH_TAG),
    285: ("DSA_TAG_EDSA", SWITCH_TAG),
    286: ("ELEE", 0),
    287: ("Z_WAVE_SERIAL", 0),
    288: ("USB_2_0", 0),
    289: ("ATSC_ALP", 0),
    290: ("ETW", 0),
}
"""LINKTYPE_ number to (registry name without its prefix, kind of its first layer; 0: named, not decoded)."""

_LINK_PROTOCOL_OF_TYPE = {
    "netlink": (253,),
    "ieee802154": (195, 215, 230, 283),
    "bluetooth": (187, 201, 251, 254, 255, 256, 272),
    "usb": (186, 189, 220, 249, 266, 278, 288),
    "can": (190, 227),
    "infiniband": (247,),
    "mtp": (139, 140, 141),
    "dvb_ts": (243,),
    "docsis": (143, 273),
}

LINK_TYPE_COUNT = 512
LINK_KIND = np.zeros(LINK_TYPE_COUNT, np.uint8)
"""Kind of the first layer by link type; 0: not decoded."""
LINK_VALUE = np.zeros(LINK_TYPE_COUNT, np.uint8)
"""Value that belongs to the kind, by link type."""
LINK_CODE = np.zeros(LINK_TYPE_COUNT, np.uint8)
"""Link protocol by link type, for those not decoded; 0: not even named."""
for _number, (_, _kind) in LINK_TYPES.items():
    LINK_KIND[_number] = _kind
LINK_VALUE[[240, 241, 274, 282]] = 4, 12, 8, 4
LINK_VALUE[[281, 284, 285]] = 4, 4, 8
for _protocol, _numbers in _LINK_PROTOCOL_OF_TYPE.items():
    LINK_CODE[list(_numbers)] = LINK_CODES[_protocol]


def link_type_name(number: int) -> str:
    """Name of a link type in the LINKTYPE_ registry, "ETHERNET"; "LINKTYPE_300" for one we do not know."""
    known = LINK_TYPES.get(number)
    return known[0] if known else f"LINKTYPE_{number}"
