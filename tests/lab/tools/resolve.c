// SPDX-License-Identifier: Apache-2.0
/*
 * Resolves a name as often as asked, with the C library it was built with, and prints each answer it got once with
 * its count.
 *
 *   resolve NAME TIMES
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	char text[64];
	int count;
} seen[8];

static void note(const char *text)
{
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		if (seen[i].count == 0)
			snprintf(seen[i].text, sizeof(seen[i].text), "%s", text);
		if (strcmp(seen[i].text, text) == 0) {
			seen[i].count++;
			return;
		}
	}
}

static void ask(const char *name)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char text[64];
	int error = getaddrinfo(name, NULL, &hints, &found);

	if (error != 0) {
		note(gai_strerror(error));
		return;
	}
	inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof(text));
	freeaddrinfo(found);
	note(text);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	for (int i = 0; i < atoi(argv[2]); i++)
		ask(argv[1]);
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]) && seen[i].count > 0; i++)
		printf("%s %d\n", seen[i].text, seen[i].count);
	return 0;
}
