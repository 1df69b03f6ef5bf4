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
IPOIB = 26
ARCNET = 27  # value: bytes of hardware header
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

LABEL = 64  # --- from here: labels and tags around frames
PPPOE = 64
MPLS = 65
PW_ETHERNET = 66  # pseudowire: Ethernet with or without control word
PBB = 67  # value: bytes between the EtherType and the customer's frame
MACSEC = 68
SHIM = 69  # value: bytes of a tag that ends with the next EtherType
TRILL = 70

TUNNEL = 80  # --- from here: tunnels over IP
GRE = 80  # value 1: in UDP
ERSPAN = 81
VXLAN = 82
VXLAN_GPE = 83
GENEVE = 84
GTPU = 85
GTP0 = 86
TZSP = 87
ETHERIP = 88
NSH = 89
WCCP = 90

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
LINK_KINDS = {
    0: NULL_FAMILY,
    1: ETHERNET,
    6: TOKEN_RING,
    7: ARCNET,
    8: SLIP,
    9: PPP,
    10: FDDI,
    12: IP,
    14: IP,
    50: HDLC,
    51: PPPOE,
    100: LLC,
    101: IP,
    104: HDLC,
    105: WLAN,
    107: FRAME_RELAY,
    108: LOOP_FAMILY,
    109: ENC,
    113: COOKED,
    117: PFLOG,
    119: PRISM,
    123: SUNATM,
    127: RADIOTAP,
    128: TZSP,
    129: ARCNET,
    149: PKTAP,  # USER2, where Darwin wrote it before it had a number
    163: AVS,
    166: PPP_DIRECTION,
    182: MULTILINK_FRAME_RELAY,
    192: PPI,
    197: ERF,
    204: PPP_DIRECTION,
    219: MPLS,
    228: IP,
    229: IP,
    239: NFLOG,
    240: SKIP,
    241: SKIP,
    242: IPOIB,
    258: PKTAP,
    274: SKIP,
    276: COOKED2,
    281: SWITCH_TAG,
    282: SKIP,
    284: SWITCH_TAG,
    285: SWITCH_TAG,
}
"""Kind of the first layer, by LINKTYPE_ number, of the link types that are decoded (names: `capture.linktypes`)."""

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
for _number, _kind in LINK_KINDS.items():
    LINK_KIND[_number] = _kind
LINK_VALUE[[240, 241, 274, 282]] = 4, 12, 8, 4
LINK_VALUE[[7, 129]] = 3, 5
LINK_VALUE[[281, 284, 285]] = 4, 4, 8
for _protocol, _numbers in _LINK_PROTOCOL_OF_TYPE.items():
    LINK_CODE[list(_numbers)] = LINK_CODES[_protocol]
