/* Resolves each argument with getaddrinfo(3) and prints "name address..." or "name error", addresses in order of text. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ADDRESSES 16

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void resolve(const char *name)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	char texts[MAX_ADDRESSES][INET6_ADDRSTRLEN];
	struct addrinfo *list, *item;
	int count = 0, ret;

	ret = getaddrinfo(name, NULL, &hints, &list);
	if (ret != 0) {
		printf("%s %s\n", name, ret == EAI_AGAIN ? "again" : "none");
		return;
	}
	for (item = list; item != NULL && count < MAX_ADDRESSES; item = item->ai_next) {
		const void *address = item->ai_family == AF_INET ?
			(const void *)&((struct sockaddr_in *)item->ai_addr)->sin_addr :
			(const void *)&((struct sockaddr_in6 *)item->ai_addr)->sin6_addr;

		inet_ntop(item->ai_family, address, texts[count++], INET6_ADDRSTRLEN);
	}
	freeaddrinfo(list);
	qsort(texts, (size_t)count, INET6_ADDRSTRLEN, compare);
	printf("%s", name);
	for (int i = 0; i < count; i++)
		printf(" %s", texts[i]);
	printf("\n");
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		resolve(argv[i]);
	return 0;
}
