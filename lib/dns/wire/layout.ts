/**
 * Where the fields of a DNS message are, by the names the RFCs give them. Offsets count from where the part begins:
 * the message, or the type of a record.
 *
 * @module
 * @see RFC 1035 section 4.1, RFC 6891 section 6.1
 */

/** The header of every message (RFC 1035 section 4.1.1). */
export const HEADER_BYTES = 12;
export const ID_OFFSET = 0;
export const FLAGS_OFFSET = 2;
export const QDCOUNT_OFFSET = 4;
export const ANCOUNT_OFFSET = 6;
export const NSCOUNT_OFFSET = 8;
export const ARCOUNT_OFFSET = 10;
/** Each of the four counts. */
export const COUNT_BYTES = 2;

/** Parts of the flags; the rest is `FLAG`. */
export const OPCODE_MASK = 0x7800;
export const RCODE_MASK = 0x000f;

/** What follows the name in a question: type and class (RFC 1035 section 4.1.2). */
export const QUESTION_TAIL_BYTES = 4;
/** How far before a question's end they are. */
export const QTYPE_BACK = 4;
export const QCLASS_BACK = 2;

/** What follows the owner's name in a record, up to its data (RFC 1035 section 4.1.3). */
export const RR_FIXED_BYTES = 10;
export const RR_TYPE_OFFSET = 0;
export const RR_CLASS_OFFSET = 2;
export const RR_TTL_OFFSET = 4;
export const RR_RDLENGTH_OFFSET = 8;

/** An OPT record without options: the root's name and the fixed part (RFC 6891 section 6.1.2). */
export const OPT_BYTES = 1 + RR_FIXED_BYTES;
/** What stands where other records have class and TTL (RFC 6891 section 6.1.3). */
export const OPT_UDP_SIZE_OFFSET = RR_CLASS_OFFSET;
export const OPT_EXTENDED_RCODE_OFFSET = RR_TTL_OFFSET;
export const OPT_VERSION_OFFSET = RR_TTL_OFFSET + 1;
export const OPT_FLAGS_OFFSET = RR_TTL_OFFSET + 2;
/** The DO bit of these flags (RFC 3225 section 3). */
export const OPT_DNSSEC_OK = 0x8000;

/** Code and length before an option's data. */
export const OPTION_HEADER_BYTES = 4;
export const OPTION_LENGTH_OFFSET = 2;
/** The option of an extended error: its data is an info code and text (RFC 8914 section 2). */
export const EDE_OPTION = 15;
export const EDE_INFO_CODE_BYTES = 2;

/** The two bits that make a label's length a pointer, and what is left for the offset (RFC 1035 section 4.1.4). */
export const POINTER_BITS = 0xc000;
/** A label's longest text (RFC 1035 section 2.3.4). */
export const LABEL_MAX_BYTES = 63;
