/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_CHECK_H
#define VNET_CHECK_H

/* The least that a C test needs: checks that say where they failed, and a line of TAP for each test. */

#include <stdio.h>

static int failures;
static int tests;

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                   \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

static void run(const char *name, void (*test)(void))
{
	int before = failures;

	test();
	printf("%sok %d - %s\n", failures == before ? "" : "not ", ++tests, name);
	fflush(stdout);
}

#endif
