// SPDX-License-Identifier: Apache-2.0
/* Runs a fuzz target on inputs made from a seed: fuzz_main SEED RUNS. Same seed, same inputs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t value = *state += 0x9e3779b97f4a7c15ull;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

int main(int argc, char **argv)
{
	uint64_t state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	uint64_t runs = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;

	for (uint64_t run = 0; run < runs; run++) {
		size_t size = next(&state) % 8192;
		uint8_t *data = malloc(size + 1);

		if (!data)
			return 1;
		for (size_t i = 0; i < size; i++)
			data[i] = (uint8_t)next(&state);
		LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	printf("%llu runs\n", (unsigned long long)runs);
	return 0;
}
