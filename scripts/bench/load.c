/*
 * The load of scripts/bench: both ends of a throughput test and of a connection rate test, over plain TCP.
 *
 *   load serve PORT               serves sink (PORT), source (PORT + 1) and echo (PORT + 2) on 127.0.0.1
 *   load up HOST PORT STREAMS S   sends for S seconds on each stream, shuts its side and waits until the other end
 *                                 has told how much arrived; prints bytes per second
 *   load down HOST PORT STREAMS S reads for S seconds after the first byte; prints bytes per second
 *   load rate HOST PORT THREADS S connects, sends one byte, reads it back, closes, again and again; prints
 *                                 connections per second
 *
 * Anything that goes wrong is said on stderr and ends the program with status 1: a figure is whole or absent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES (128 * 1024)
#define MAX_THREADS 64
#define BACKLOG 4096

struct job {
        struct sockaddr_storage address;
        socklen_t address_len;
        double seconds;
        char act;
        uint64_t done;
        double elapsed;
};

static void fail(const char *what)
{
        perror(what);
        exit(1);
}

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int dial(const struct job *job)
{
        int one = 1;
        int fd = socket(job->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                fail("socket");
        if (connect(fd, (const struct sockaddr *)&job->address, job->address_len) < 0)
                fail("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        return fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
        while (len > 0) {
                ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

                if (n < 0)
                        fail("send");
                bytes += n;
                len -= (size_t)n;
        }
}

static void up(struct job *job)
{
        static const char chunk[CHUNK_BYTES];
        uint64_t arrived = 0;
        size_t have = 0;
        int fd = dial(job);
        double begin = now();

        while (now() - begin < job->seconds)
                send_all(fd, chunk, sizeof(chunk));
        if (shutdown(fd, SHUT_WR) < 0)
                fail("shutdown");
        while (have < sizeof(arrived)) {
                ssize_t n = read(fd, (char *)&arrived + have, sizeof(arrived) - have);

                if (n <= 0)
                        fail("the other end did not tell what arrived");
                have += (size_t)n;
        }
        job->elapsed = now() - begin;
        job->done = arrived;
        close(fd);
}

static void down(struct job *job)
{
        char *chunk = malloc(CHUNK_BYTES);
        double begin = 0;
        int fd = dial(job);

        if (chunk == NULL)
                fail("malloc");
        do {
                ssize_t n = read(fd, chunk, CHUNK_BYTES);

                if (n <= 0)
                        fail("the other end stopped sending");
                if (begin == 0)
                        begin = now();
                else
                        job->done += (uint64_t)n;
        } while (now() - begin < job->seconds);
        job->elapsed = now() - begin;
        close(fd);
        free(chunk);
}

static void rate(struct job *job)
{
        double begin = now();
        char byte = 'x';

        do {
                int fd = dial(job);

                send_all(fd, &byte, 1);
                if (read(fd, &byte, 1) != 1)
                        fail("the byte did not come back");
                close(fd);
                job->done++;
        } while (now() - begin < job->seconds);
        job->elapsed = now() - begin;
}

static void *run(void *argument)
{
        struct job *job = argument;

        if (job->act == 'u')
                up(job);
        else if (job->act == 'd')
                down(job);
        else
                rate(job);
        return NULL;
}

static void *serve_one(void *argument)
{
        int *given = argument;
        int fd = given[0], act = given[1];
        uint64_t arrived = 0;
        char *chunk = calloc(1, CHUNK_BYTES);
        ssize_t n;

        free(given);
        if (chunk == NULL)
                fail("calloc");
        if (act == 1) {
                while (send(fd, chunk, CHUNK_BYTES, MSG_NOSIGNAL) > 0)
                        continue;
        } else {
                while ((n = read(fd, chunk, CHUNK_BYTES)) > 0) {
                        arrived += (uint64_t)n;
                        if (act == 2 && send(fd, chunk, (size_t)n, MSG_NOSIGNAL) < 0)
                                break;
                }
                if (act == 0 && send(fd, &arrived, sizeof(arrived), MSG_NOSIGNAL) < 0)
                        perror("send");
        }
        close(fd);
        free(chunk);
        return NULL;
}

static void *accept_all(void *argument)
{
        int *given = argument;
        int one = 1;

        for (;;) {
                pthread_t thread;
                int *pair = malloc(2 * sizeof(int));
                int fd = accept(given[0], NULL, NULL);

                if (fd < 0 || pair == NULL)
                        fail("accept");
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                pair[0] = fd;
                pair[1] = given[1];
                if (pthread_create(&thread, NULL, serve_one, pair) != 0)
                        fail("pthread_create");
                pthread_detach(thread);
        }
        return NULL;
}

static void serve(int port)
{
        static int given[3][2];
        pthread_t thread;

        for (int act = 0; act < 3; act++) {
                struct sockaddr_in address = { .sin_family = AF_INET };
                int one = 1;
                int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

                address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                address.sin_port = htons((uint16_t)(port + act));
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
                if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                        fail("bind");
                if (listen(fd, BACKLOG) < 0)
                        fail("listen");
                given[act][0] = fd;
                given[act][1] = act;
                if (pthread_create(&thread, NULL, accept_all, given[act]) != 0)
                        fail("pthread_create");
        }
        puts("ready");
        fflush(stdout);
        pause();
}

int main(int argc, char **argv)
{
        static struct job jobs[MAX_THREADS];
        pthread_t threads[MAX_THREADS];
        struct addrinfo *found = NULL;
        double total = 0;
        int count;

        if (argc == 3 && strcmp(argv[1], "serve") == 0) {
                serve(atoi(argv[2]));
                return 0;
        }
        if (argc != 6 || strchr("udr", argv[1][0]) == NULL) {
                fputs("usage: load serve PORT | load up|down|rate HOST PORT THREADS SECONDS\n", stderr);
                return 2;
        }
        count = atoi(argv[4]);
        if (count < 1 || count > MAX_THREADS || getaddrinfo(argv[2], argv[3], NULL, &found) != 0) {
                fputs("load: a host that resolves, and 1 to 64 threads\n", stderr);
                return 1;
        }
        for (int i = 0; i < count; i++) {
                memcpy(&jobs[i].address, found->ai_addr, found->ai_addrlen);
                jobs[i].address_len = found->ai_addrlen;
                jobs[i].seconds = atof(argv[5]);
                jobs[i].act = argv[1][0];
                if (pthread_create(&threads[i], NULL, run, &jobs[i]) != 0)
                        fail("pthread_create");
        }
        for (int i = 0; i < count; i++) {
                pthread_join(threads[i], NULL);
                total += (double)jobs[i].done / jobs[i].elapsed;
        }
        freeaddrinfo(found);
        printf("%.0f\n", total);
        return 0;
}
