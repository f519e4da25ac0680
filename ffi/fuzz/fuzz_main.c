// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a fuzz target without libFuzzer: fuzz_main SEED RUNS on inputs made from a seed, the same for
 * the same seed; fuzz_main --files FILE... on files.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t value = *state += 0x9e3779b97f4a7c15ull;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t size;
	uint8_t *data = malloc(65536);

	if (!file || !data) {
		fprintf(stderr, "cannot read %s\n", path);
		return 1;
	}
	size = fread(data, 1, 65536, file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--files") == 0) {
		for (int i = 2; i < argc; i++)
			if (run_file(argv[i]))
				return 1;
		printf("%d files\n", argc - 2);
		return 0;
	}
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
