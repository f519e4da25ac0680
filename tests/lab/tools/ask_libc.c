/*
 * Asks the C library's resolver: NAME for addresses, by getaddrinfo(3), ADDRESS/PTR for its name, by getnameinfo(3),
 * and NAME/TYPE for records of a type, by res_query(3). Prints a line for each, in the words of clients.ts.
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ADDRESSES 16

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void find_addresses(const char *name)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	char texts[MAX_ADDRESSES][INET6_ADDRSTRLEN];
	struct addrinfo *list, *item;
	int count = 0, ret;

	ret = getaddrinfo(name, NULL, &hints, &list);
	if (ret != 0) {
		printf("%s %s\n", name, ret == EAI_NONAME ? "nxdomain" : gai_strerror(ret));
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

static void find_name(const char *question, const char *address)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *parsed;
	char name[NI_MAXHOST];
	int ret;

	ret = getaddrinfo(address, NULL, &hints, &parsed);
	if (ret == 0) {
		ret = getnameinfo(parsed->ai_addr, parsed->ai_addrlen, name, sizeof(name), NULL, 0, NI_NAMEREQD);
		freeaddrinfo(parsed);
	}
	printf("%s %s\n", question, ret == 0 ? name : ret == EAI_NONAME ? "nxdomain" : gai_strerror(ret));
}

static int type_of(const char *word)
{
	if (strcmp(word, "TXT") == 0)
		return ns_t_txt;
	return strcmp(word, "HTTPS") == 0 ? 65 : ns_t_any;
}

static void find_records(const char *question, char *name, int type)
{
	unsigned char reply[4096];
	int size = res_query(name, ns_c_in, type, reply, sizeof(reply));

	if (size >= NS_HFIXEDSZ)
		printf("%s data\n", question);
	else
		printf("%s %s\n", question, h_errno == NO_DATA ? "nodata" :
		       h_errno == HOST_NOT_FOUND ? "nxdomain" : hstrerror(h_errno));
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *name = strdup(argv[i]), *slash = strchr(name, '/');

		if (slash == NULL) {
			find_addresses(name);
		} else {
			*slash = '\0';
			if (strcmp(slash + 1, "PTR") == 0)
				find_name(argv[i], name);
			else
				find_records(argv[i], name, type_of(slash + 1));
		}
		free(name);
	}
	return 0;
}
