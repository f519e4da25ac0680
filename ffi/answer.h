/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_ANSWER_H
#define VNET_ANSWER_H

/*
 * Which reply belongs to which query, as bytes: what is inside of them is not looked at, but for
 * the first two, the id, which may differ and is copied into the reply. Pure.
 */

#include <stdint.h>

#include "vnet_shim.h"

/* The longest reply answers_find() gives. */
#define ANSWER_MAX_SIZE (2 + VNET_ANSWER_BYTES)

struct answers;

/* Makes an empty table. Returns NULL without memory. */
struct answers *answers_create(uint64_t seed);
void answers_destroy(struct answers *answers);

/*
 * Keeps a reply, instead of an older one to the same query. A full table is emptied first.
 * Returns 0, or -EMSGSIZE when the two, without their ids, are longer than VNET_ANSWER_BYTES,
 * or -EINVAL when one is no longer than an id.
 */
int32_t answers_put(struct answers *answers, const uint8_t *query, uint32_t query_len,
		    const uint8_t *reply, uint32_t reply_len);

/*
 * Writes the reply to a query, with the query's id; reply has room for ANSWER_MAX_SIZE.
 * Returns its length, or 0 when there is none.
 */
uint32_t answers_find(const struct answers *answers, const uint8_t *query, uint32_t query_len,
		      uint8_t *reply);

/* Forgets everything. */
void answers_clear(struct answers *answers);

/* How many there are. */
uint32_t answers_count(const struct answers *answers);

#endif
