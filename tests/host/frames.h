/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Frames in hexadecimal, header by header, with what the parser has to say about each.
 *
 * Figures as expect_facts() in parse.c names them; `malformed` is 1 + the reason of types.h; what is not named is 0.
 */
#ifndef FLOWTOP_FRAMES_H
#define FLOWTOP_FRAMES_H

#include "host.h"

struct frame {
	const char *name;
	const char *hex;
	const char *figures;
	__u16 tag; /* that the kernel moved out of the data; 0: none */
	__u8 is_bare; /* without an Ethernet header */
	__u8 is_endless; /* the IP header says no length */
	__u32 ip_end; /* where padding begins; 0: there is none */
};

struct bytes {
	__u8 at[512];
	__u32 count;
};

static inline struct bytes bytes_of(const char *hex)
{
	struct bytes bytes = {};

	for (; *hex; hex += 2) {
		if (bytes.count == sizeof(bytes.at) || sscanf(hex, "%2hhx", &bytes.at[bytes.count++]) != 1)
			abort();
	}
	return bytes;
}

/* clang-format off */

/* Headers. Lengths, flags and next headers are each frame's own. */
#define ETH(type) "020000000002020000000001" type
#define IPV4_LONG(first, total, id, fragment, protocol) \
	first "00" total id fragment "40" protocol "0000" "0a000001" "0a000002"
#define IPV4(total, protocol) IPV4_LONG("45", total, "1234", "4000", protocol)
#define ADDRESSES "20010db8000000000000000000000001" "20010db8000000000000000000000002"
#define IPV6(length, next) "60000000" length next "40" ADDRESSES
#define TCP(offset, flags) "1000" "0050" "01020304" "00000000" offset flags "ffff00000000"
#define UDP(length) "1000" "0035" length "0000"
#define ECHO(type) type "00" "0000" "0007" "0009"
#define DESTINATION_OPTIONS "3c00010400000000"
#define DESTINATION_OPTIONS_7 \
	DESTINATION_OPTIONS DESTINATION_OPTIONS DESTINATION_OPTIONS DESTINATION_OPTIONS DESTINATION_OPTIONS \
	DESTINATION_OPTIONS DESTINATION_OPTIONS
#define TIMESTAMPS "0101080a0000000100000002"
#define NO_OPERATIONS_20 "0101010101010101010101010101010101010101"

#define IPV4_UDP ETH("0800") IPV4("0020", "11") UDP("000c") "61626364"
#define IPV6_UDP ETH("86dd") IPV6("000c", "11") UDP("000c") "61626364"

#define SEVEN_TAGS "8100" "0002" "8100" "0003" "8100" "0004" "8100" "0005" "8100" "0006" "8100" "0007" "8100" "0008"

static const struct frame FLOWS[] = {
	{ "UDP", IPV4_UDP, "family 4 protocol 17 from 4096 to 53 at 42 payload 4 sequence 3" },
	{ "UDP over IPv6", IPV6_UDP, "family 6 protocol 17 from 4096 to 53 at 62 payload 4 sequence 3" },
	{ "UDP with less in it than IP has", ETH("0800") IPV4("0020", "11") UDP("000a") "61626364",
	  "family 4 protocol 17 from 4096 to 53 at 42 payload 2 sequence 3" },
	{ "UDP that claims more than IP has", ETH("0800") IPV4("0020", "11") UDP("0fff") "61626364",
	  "family 4 protocol 17 from 4096 to 53 at 42 payload 4 sequence 3" },
	{ "UDP without a length", ETH("0800") IPV4("0020", "11") UDP("0000") "61626364",
	  "family 4 protocol 17 from 4096 to 53 at 42 payload 4 sequence 3" },
	{ "UDP without payload", ETH("0800") IPV4("001c", "11") UDP("0008"),
	  "family 4 protocol 17 from 4096 to 53 at 42 payload 0 sequence 3" },
	{ "TCP SYN", ETH("0800") IPV4("0028", "06") TCP("50", "02"),
	  "family 4 protocol 6 from 4096 to 80 at 54 number 0x1020304 flags 2 sequence 1" },
	{ "TCP with options", ETH("0800") IPV4("0036", "06") TCP("80", "18") TIMESTAMPS "6869",
	  "family 4 protocol 6 from 4096 to 80 at 66 payload 2 number 0x1020304 flags 0x18 sequence 1" },
	{ "TCP over IPv6", ETH("86dd") IPV6("0016", "06") TCP("50", "11") "6869",
	  "family 6 protocol 6 from 4096 to 80 at 74 payload 2 number 0x1020304 flags 0x11 sequence 1" },
	{ "padding", ETH("0800") IPV4("001d", "11") UDP("0009") "61" "000000000000000000000000000000000000",
	  "family 4 protocol 17 from 4096 to 53 at 42 payload 1 sequence 3", .ip_end = 43 },
	{ "IPv4 options", ETH("0800") IPV4_LONG("46", "0024", "1234", "4000", "11") "01010101" UDP("000c") "61626364",
	  "family 4 protocol 17 from 4096 to 53 at 46 payload 4 sequence 3" },
	{ "all of 40 bytes of IPv4 options", ETH("0800")
		  IPV4_LONG("4f", "0048", "1234", "4000", "11") NO_OPERATIONS_20 NO_OPERATIONS_20 UDP("000c") "61626364",
	  "family 4 protocol 17 from 4096 to 53 at 82 payload 4 sequence 3" },
	{ "an IPv4 length of zero", ETH("0800") IPV4("0000", "11") UDP("000c") "61626364",
	  "family 4 protocol 17 from 4096 to 53 at 42 payload 4 sequence 3", .is_endless = 1 },
	{ "an IPv6 length of zero", ETH("86dd") IPV6("0000", "06") TCP("50", "10") "6869",
	  "family 6 protocol 6 from 4096 to 80 at 74 payload 2 number 0x1020304 flags 0x10 sequence 1",
	  .is_endless = 1 },
	{ "a VLAN tag", ETH("8100") "6005"
		      "0800" IPV4("0020", "11") UDP("000c") "61626364",
	  "vlan 5 family 4 protocol 17 from 4096 to 53 at 46 payload 4 sequence 3" },
	{ "two: the outer one counts", ETH("88a8") "0007"
		      "8100"
		      "0005"
		      "86dd" IPV6("000c", "11") UDP("000c") "61626364",
	  "vlan 7 family 6 protocol 17 from 4096 to 53 at 70 payload 4 sequence 3" },
	{ "eight", ETH("8100") "0001"
		      SEVEN_TAGS
		      "0800" IPV4("0020", "11") UDP("000c") "61626364",
	  "vlan 1 family 4 protocol 17 from 4096 to 53 at 74 payload 4 sequence 3" },
	{ "one that the kernel moved out", IPV4_UDP,
	  "vlan 9 family 4 protocol 17 from 4096 to 53 at 42 payload 4 sequence 3", .tag = 9 },
	{ "QinQ: one moved out, one inside", ETH("8100") "0005"
		      "0800" IPV4("0020", "11") UDP("000c") "61626364",
	  "vlan 9 family 4 protocol 17 from 4096 to 53 at 46 payload 4 sequence 3", .tag = 9 },
	{ "no Ethernet header", IPV4("0020", "11") UDP("000c") "61626364",
	  "family 4 protocol 17 from 4096 to 53 at 28 payload 4 sequence 3", .is_bare = 1 },
	{ "no Ethernet header, IPv6", IPV6("000c", "11") UDP("000c") "61626364",
	  "family 6 protocol 17 from 4096 to 53 at 48 payload 4 sequence 3", .is_bare = 1 },
	{ "echo request", ETH("0800") IPV4("0020", "01") ECHO("08") "61626364",
	  "family 4 protocol 1 from 7 to 0x800 at 42 payload 4 number 9 sequence 2" },
	{ "echo reply", ETH("0800") IPV4("0020", "01") ECHO("00") "61626364",
	  "family 4 protocol 1 from 7 to 0 at 42 payload 4 number 9 sequence 2" },
	{ "timestamp: an identifier, and no sequence number",
	  ETH("0800") IPV4("0028", "01") ECHO("0d") "000000000000000000000000",
	  "family 4 protocol 1 from 7 to 0xd00 at 42 payload 12 sequence 3" },
	{ "address mask reply, the last one with an identifier",
	  ETH("0800") IPV4("0020", "01") ECHO("12") "61626364",
	  "family 4 protocol 1 from 7 to 0x1200 at 42 payload 4 sequence 3" },
	{ "the type behind it", ETH("0800") IPV4("0020", "01") ECHO("13") "61626364",
	  "family 4 protocol 1 to 0x1300 at 42 payload 4 sequence 3" },
	{ "parameter problem, the type before them", ETH("0800") IPV4("0020", "01") ECHO("0c") "61626364",
	  "family 4 protocol 1 to 0xc00 at 42 payload 4 sequence 3" },
	{ "unreachable, port: neither", ETH("0800") IPV4("0020", "01") "0303" "0000" "00000000" "61626364",
	  "family 4 protocol 1 to 0x303 at 42 payload 4 sequence 3" },
	{ "ICMP of 4 bytes", ETH("0800") IPV4("0018", "01") "0303" "0000",
	  "family 4 protocol 1 to 0x303 at 38 sequence 3" },
	{ "echo request of ICMPv6", ETH("86dd") IPV6("000a", "3a") ECHO("80") "6162",
	  "family 6 protocol 58 from 7 to 0x8000 at 62 payload 2 number 9 sequence 2" },
	{ "echo reply of ICMPv6", ETH("86dd") IPV6("000a", "3a") ECHO("81") "6162",
	  "family 6 protocol 58 from 7 to 0x8100 at 62 payload 2 number 9 sequence 2" },
	{ "the type behind it: who listens to groups", ETH("86dd") IPV6("000a", "3a") ECHO("82") "6162",
	  "family 6 protocol 58 to 0x8200 at 62 payload 2 sequence 3" },
	{ "neighbour solicitation",
	  ETH("86dd") IPV6("0018", "3a") "8700" "0000" "00000000" "20010db8000000000000000000000002",
	  "family 6 protocol 58 to 0x8700 at 62 payload 16 sequence 3" },
	{ "type 13 of ICMPv6 is no timestamp", ETH("86dd") IPV6("0008", "3a") "0d00" "0000" "00070009",
	  "family 6 protocol 58 to 0xd00 at 62 sequence 3" },
	{ "hop-by-hop options", ETH("86dd") IPV6("0014", "00") "1100" "010400000000" UDP("000c") "61626364",
	  "family 6 protocol 17 from 4096 to 53 at 70 payload 4 sequence 3" },
	{ "destination options of 16 bytes",
	  ETH("86dd") IPV6("001c", "3c") "1101" "010c000000000000000000000000" UDP("000c") "61626364",
	  "family 6 protocol 17 from 4096 to 53 at 78 payload 4 sequence 3" },
	{ "routing, then mobility",
	  ETH("86dd") IPV6("001c", "2b") "8700" "000000000000" "1100" "000000000000" UDP("000c") "61626364",
	  "family 6 protocol 17 from 4096 to 53 at 78 payload 4 sequence 3" },
	{ "AH over IPv4", ETH("0800") IPV4("002c", "33") "1101" "0000" "00000001" "00000001" UDP("000c") "61626364",
	  "family 4 protocol 17 from 4096 to 53 at 54 payload 4 sequence 3" },
	{ "AH over IPv6",
	  ETH("86dd") IPV6("001c", "33") "1102" "0000" "00000001" "00000001" "00000000" UDP("000c") "61626364",
	  "family 6 protocol 17 from 4096 to 53 at 78 payload 4 sequence 3" },
	{ "eight extension headers",
	  ETH("86dd") IPV6("004c", "3c") DESTINATION_OPTIONS_7 "1100010400000000" UDP("000c") "61626364",
	  "family 6 protocol 17 from 4096 to 53 at 126 payload 4 sequence 3" },
	{ "an atomic fragment is whole", ETH("86dd") IPV6("0014", "2c") "1100" "0000" "00abcdef" UDP("000c") "61626364",
	  "family 6 protocol 17 from 4096 to 53 at 70 payload 4 sequence 3" },
};

static const struct frame FRAGMENTS[] = {
	{ "IPv4, first", ETH("0800") IPV4_LONG("45", "0020", "1234", "2000", "11") UDP("00ff") "61626364",
	  "family 4 protocol 17 from 4096 to 53 at 42 payload 4 sequence 3 fragment 1 identification 0x1234 named 17" },
	{ "IPv4, in the middle", ETH("0800") IPV4_LONG("45", "0020", "1234", "2010", "11") "616263646162636461626364",
	  "family 4 protocol 17 at 34 payload 12 fragment 2 identification 0x1234 named 17" },
	{ "IPv4, last", ETH("0800") IPV4_LONG("45", "0018", "1234", "0010", "06") "61626364",
	  "family 4 protocol 6 at 34 payload 4 fragment 2 identification 0x1234 named 6" },
	{ "IPv4, first of TCP: its bytes cannot be placed",
	  ETH("0800") IPV4_LONG("45", "002a", "1234", "2000", "06") TCP("50", "10") "6162",
	  "family 4 protocol 6 from 4096 to 80 at 54 payload 2 number 0x1020304 flags 0x10 sequence 4 fragment 1 "
	  "identification 0x1234 named 6" },
	{ "don't fragment is no fragment",
	  ETH("0800") IPV4_LONG("45", "0020", "1234", "4000", "11") UDP("000c") "61626364",
	  "family 4 protocol 17 from 4096 to 53 at 42 payload 4 sequence 3" },
	{ "IPv6, first", ETH("86dd") IPV6("0014", "2c") "1100" "0001" "00abcdef" UDP("00ff") "61626364",
	  "family 6 protocol 17 from 4096 to 53 at 70 payload 4 sequence 3 fragment 1 identification 0xabcdef named 17" },
	{ "IPv6, last", ETH("86dd") IPV6("000c", "2c") "1100" "0010" "00abcdef" "61626364",
	  "family 6 protocol 17 at 62 payload 4 fragment 2 identification 0xabcdef named 17" },
	{ "IPv6, later: what its header names next is not walked",
	  ETH("86dd") IPV6("000c", "2c") "3c00" "0010" "00abcdef" "61626364",
	  "family 6 protocol 60 at 62 payload 4 fragment 2 identification 0xabcdef named 60" },
	{ "IPv6, first, with options behind its header",
	  ETH("86dd") IPV6("001c", "2c") "3c00" "0001" "00abcdef" "1100010400000000" UDP("00ff") "61626364",
	  "family 6 protocol 17 from 4096 to 53 at 78 payload 4 sequence 3 fragment 1 identification 0xabcdef named 60" },
	{ "IPv6, behind hop-by-hop options",
	  ETH("86dd") IPV6("0014", "00") "2c00010400000000" "1100" "0010" "00abcdef" "61626364",
	  "family 6 protocol 17 at 70 payload 4 fragment 2 identification 0xabcdef named 17" },
};

static const struct frame OTHERS[] = {
	{ "ARP", ETH("0806") "0001080006040001020000000001"
		      "0a000001"
		      "000000000000"
		      "0a000002",
	  "other 1" },
	{ "ARP in a VLAN", ETH("8100") "0005"
		      "0806"
		      "0001080006040001",
	  "other 1" },
	{ "an 802.3 length", ETH("0026") "424203000000", "other 1" },
	{ "no more than an Ethernet header", ETH("88cc"), "other 1" },
	{ "IGMP", ETH("0800") IPV4("001c", "02") "1600000000000000", "other 1" },
	{ "GRE", ETH("0800") IPV4("0018", "2f") "00000800", "other 1" },
	{ "ICMPv6 in IPv4", ETH("0800") IPV4("0020", "3a") ECHO("80") "61626364", "other 1" },
	{ "ICMP in IPv6", ETH("86dd") IPV6("0008", "01") ECHO("08"), "other 1" },
	{ "an extension header of IPv6 in IPv4", ETH("0800") IPV4("001c", "3c") "1100010400000000", "other 1" },
	{ "ESP", ETH("86dd") IPV6("0008", "32") "0000000100000001", "other 1" },
	{ "ESP behind options", ETH("86dd") IPV6("0010", "00") "3200010400000000" "0000000100000001",
	  "other 1" },
	{ "no next header", ETH("86dd") IPV6("0000", "3b"), "other 1" },
	{ "IP of no known version, without Ethernet", "5500000000000000", "other 1", .is_bare = 1 },
};

static const struct frame MALFORMED[] = {
	{ "nothing at all", "", "malformed 1" },
	{ "13 bytes", "02000000000202000000000108", "malformed 1" },
	{ "half a tag", ETH("8100") "0005", "malformed 1" },
	{ "nine tags", ETH("8100") "0001"
		      SEVEN_TAGS
		      "8100"
		      "0009"
		      "0800" IPV4("0020", "11") UDP("000c") "61626364",
	  "malformed 1" },
	{ "half an IPv4 header", ETH("0800") "450000201234", "malformed 2" },
	{ "half an IPv6 header", ETH("86dd") "60000000000c1140", "malformed 2" },
	{ "nothing, without Ethernet", "", "malformed 2", .is_bare = 1 },
	{ "options beyond the end", ETH("0800") IPV4_LONG("4f", "0020", "1234", "4000", "11") UDP("000c") "61626364",
	  "malformed 2" },
	{ "IPv6 where IPv4 should be", ETH("0800") IPV6("000c", "11") UDP("000c") "61626364", "malformed 3" },
	{ "IPv4 where IPv6 should be",
	  ETH("86dd") IPV4("0020", "11") UDP("000c") "616263646162636461626364", "malformed 3" },
	{ "a header of 16 bytes", ETH("0800") IPV4_LONG("44", "0020", "1234", "4000", "11") UDP("000c") "61626364",
	  "malformed 4" },
	{ "shorter than its own header", ETH("0800") IPV4("0013", "11") UDP("000c") "61626364", "malformed 5" },
	{ "IPv4 longer than the frame", ETH("0800") IPV4("0021", "11") UDP("000c") "61626364", "malformed 5" },
	{ "IPv6 longer than the frame", ETH("86dd") IPV6("000d", "11") UDP("000c") "61626364", "malformed 5" },
	{ "nine extension headers",
	  ETH("86dd") IPV6("0054", "3c") DESTINATION_OPTIONS_7 DESTINATION_OPTIONS "1100010400000000" UDP("000c") "61626364",
	  "malformed 6" },
	{ "an extension header beyond the end", ETH("86dd") IPV6("0008", "3c") "11ff010400000000", "malformed 2" },
	{ "half an extension header", ETH("86dd") IPV6("0004", "3c") "11000104", "malformed 2" },
	{ "half a UDP header", ETH("0800") IPV4("0018", "11") "10000035", "malformed 7" },
	{ "half a TCP header", ETH("0800") IPV4("0020", "06") "100000500102030400000000", "malformed 7" },
	{ "half an ICMP header", ETH("0800") IPV4("0016", "01") "0800", "malformed 7" },
	{ "an echo without its number", ETH("0800") IPV4("001a", "01") "080000000007", "malformed 7" },
	{ "a TCP header of 16 bytes", ETH("0800") IPV4("0028", "06") TCP("40", "02"), "malformed 8" },
	{ "TCP options beyond the end", ETH("0800") IPV4("0028", "06") TCP("60", "02"), "malformed 8" },
	{ "UDP shorter than its header", ETH("0800") IPV4("0020", "11") UDP("0007") "61626364", "malformed 9" },
	{ "a TCP header whose last byte is padding", ETH("0800") IPV4("0027", "06") TCP("50", "02"), "malformed 7" },
	{ "a UDP header whose last byte is padding", ETH("0800") IPV4("001b", "11") UDP("0008"), "malformed 7" },
	{ "an ICMP header whose last byte is padding", ETH("0800") IPV4("0017", "01") "0303" "0000", "malformed 7" },
	{ "an echo whose last byte is padding", ETH("0800") IPV4("001b", "01") ECHO("08"), "malformed 7" },
	{ "UDP in padding", ETH("0800") IPV4("0018", "11") UDP("000c") "61626364", "malformed 7" },
};

/* clang-format on */

#endif
