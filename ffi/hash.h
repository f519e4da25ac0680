/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_HASH_H
#define VNET_HASH_H

#include <stdint.h>

/* Spreads every bit of a number over all of them; keyed by what the caller mixes in first. */
static inline uint64_t mix(uint64_t hash)
{
	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ull;
	hash ^= hash >> 29;
	return hash;
}

#endif
