/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_FUZZ_REQUIRE_H
#define VNET_FUZZ_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>

/* Ends the run where something does not hold. */
#define REQUIRE(condition)                                                              \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

#endif
