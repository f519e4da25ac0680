// SPDX-License-Identifier: Apache-2.0
/*
 * What comes out of a link has to come from an address that belongs there. The rule is a classic BPF
 * program on the link's ingress (clsact, cls_bpf): it needs CAP_NET_ADMIN and no other, it lasts as
 * long as the link whoever holds that open, and it knows both families, where IPv6 has no rp_filter.
 * Source: tc-bpf(8), kernel net/sched/cls_bpf.c, Documentation/networking/filter.rst
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "netlink.h"
#include "vnet_shim.h"

#define PRIORITY 1u
#define HANDLE 1u
#define OFF_SOURCE4 12u
#define OFF_SOURCE6 8u
#define OFF_DESTINATION4 16u
#define OFF_DESTINATION6 24u
/* Of one rule: three for each of four words, and its verdict. */
#define RULE_INSTRUCTIONS 13u
#define PROGRAM_LIMIT (VNET_SOURCES_LIMIT * RULE_INSTRUCTIONS + 8u)

_Static_assert(PROGRAM_LIMIT * sizeof(struct sock_filter) + 128 <= NETLINK_ATTRIBUTES,
	       "a program fits a request");

struct program {
	struct sock_filter code[PROGRAM_LIMIT];
	uint32_t len;
};

/* One record of vnet_link_sources(). */
struct rule {
	const uint8_t *address;
	uint32_t words;
	uint32_t prefix_length;
	uint32_t kind; /* VNET_SOURCE_* */
};

static void put(struct program *program, uint32_t code, uint32_t yes, uint32_t no, uint32_t value)
{
	program->code[program->len++] = (struct sock_filter){
		.code = (uint16_t)code,
		.jt = (uint8_t)yes,
		.jf = (uint8_t)no,
		.k = value,
	};
}

static uint32_t word_at(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return ntohl(word);
}

/* Reads one record. Returns 0, or -EINVAL. */
static int32_t read_rule(struct rule *rule, const uint8_t *record)
{
	*rule = (struct rule){
		.address = record + 4,
		.words = record[0] == 4 ? 1 : 4,
		.prefix_length = record[1],
		.kind = record[2],
	};
	if ((record[0] != 4 && record[0] != 6) || record[2] > VNET_SOURCE_ONLY_TO || record[3] != 0)
		return -EINVAL;
	return rule->prefix_length > rule->words * 32 ? -EINVAL : 0;
}

/*
 * Appends "source in prefix? verdict". A packet too short for its source ends with 0, TC_ACT_OK, and
 * is no IP packet: the kernel drops it next.
 */
static void put_rule(struct program *program, const struct rule *rule)
{
	const uint32_t source = rule->words == 1 ? OFF_SOURCE4 : OFF_SOURCE6;
	uint32_t left = rule->prefix_length, start = program->len;

	for (uint32_t i = 0; i < rule->words && left > 0; i++) {
		uint32_t bits = left < 32 ? left : 32;
		uint32_t mask = ~0u << (32 - bits);

		/* from the packet's start: a load by SKF_NET_OFF fails beyond the linear part */
		put(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, source + i * 4);
		if (bits < 32)
			put(program, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
		put(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 0,
		    word_at(rule->address + i * 4) & mask);
		left -= bits;
	}
	put(program, BPF_RET | BPF_K, 0, 0,
	    rule->kind == VNET_SOURCE_ALLOWED ? TC_ACT_OK : TC_ACT_SHOT);
	for (uint32_t i = start; i < program->len; i++)
		if (BPF_CLASS(program->code[i].code) == BPF_JMP)
			program->code[i].jf = (uint8_t)(program->len - i - 1);
}

/* Appends "destination is the address? Else drop." */
static void put_destination(struct program *program, const struct rule *rule)
{
	uint32_t offset = rule->words == 1 ? OFF_DESTINATION4 : OFF_DESTINATION6;

	for (uint32_t i = 0; i < rule->words; i++) {
		put(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset + i * 4);
		put(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, word_at(rule->address + i * 4));
		put(program, BPF_RET | BPF_K, 0, 0, TC_ACT_SHOT);
	}
}

/* Appends the rules of one family, and that the rest is dropped. */
static int32_t put_family(struct program *program, const uint8_t *records, uint32_t count,
			  uint32_t protocol, uint32_t words)
{
	uint32_t at = program->len + 1;
	struct rule rule;

	put(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, protocol);
	put(program, BPF_JMP | BPF_JA, 0, 0, 0);
	for (uint32_t i = 0; i < count; i++) {
		if (read_rule(&rule, records + i * VNET_SOURCE_RECORD_SIZE) < 0)
			return -EINVAL;
		if (rule.words != words)
			continue;
		if (rule.kind == VNET_SOURCE_ONLY_TO)
			put_destination(program, &rule);
		else
			put_rule(program, &rule);
	}
	put(program, BPF_RET | BPF_K, 0, 0, TC_ACT_SHOT);
	program->code[at].k = program->len - at - 1;
	return 0;
}

/* Makes the link's hook; one that is there is fine. */
static int32_t add_hook(uint32_t ifindex)
{
	struct netlink_request request;
	int32_t ret;

	netlink_start(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, sizeof(request.body.tc));
	request.body.tc.tcm_ifindex = (int)ifindex;
	request.body.tc.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	request.body.tc.tcm_parent = TC_H_CLSACT;
	netlink_put(&request, TCA_KIND, "clsact", sizeof("clsact"));
	ret = netlink_transact(&request);
	return ret == -EEXIST ? 0 : ret;
}

static int32_t set_program(uint32_t ifindex, const struct program *program)
{
	const uint32_t flags = TCA_BPF_FLAG_ACT_DIRECT;
	const uint16_t len = (uint16_t)program->len;
	struct netlink_request request;
	struct rtattr *options;

	netlink_start(&request, RTM_NEWTFILTER, NLM_F_CREATE, sizeof(request.body.tc));
	request.body.tc.tcm_ifindex = (int)ifindex;
	request.body.tc.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	request.body.tc.tcm_handle = HANDLE;
	request.body.tc.tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
	netlink_put(&request, TCA_KIND, "bpf", sizeof("bpf"));
	options = netlink_put(&request, TCA_OPTIONS, NULL, 0);
	netlink_put(&request, TCA_BPF_OPS_LEN, &len, sizeof(len));
	netlink_put(&request, TCA_BPF_OPS, program->code,
		    (uint32_t)(program->len * sizeof(program->code[0])));
	netlink_put(&request, TCA_BPF_NAME, "vnet-sources", sizeof("vnet-sources"));
	netlink_put(&request, TCA_BPF_FLAGS, &flags, sizeof(flags));
	netlink_end_nest(&request, options);
	return netlink_transact(&request);
}

int32_t vnet_link_sources(uint32_t ifindex, const uint8_t *records, uint32_t records_len)
{
	uint32_t count = records_len / VNET_SOURCE_RECORD_SIZE;
	struct program program = { .len = 0 };
	int32_t ret;

	if (records_len % VNET_SOURCE_RECORD_SIZE != 0 || count > VNET_SOURCES_LIMIT)
		return -EINVAL;
	put(&program, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL));
	ret = put_family(&program, records, count, ETH_P_IP, 1);
	if (ret == 0)
		ret = put_family(&program, records, count, ETH_P_IPV6, 4);
	if (ret < 0)
		return ret;
	put(&program, BPF_RET | BPF_K, 0, 0, TC_ACT_SHOT);
	ret = add_hook(ifindex);
	return ret < 0 ? ret : set_program(ifindex, &program);
}
