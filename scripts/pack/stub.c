/*
 * Entry stub of the packed executable (x86-64 Linux; no libc, no relocations, no writable data).
 *
 * The packer maps this blob into a copy of the deno runtime and makes it the ELF entry point. It runs after
 * the dynamic linker and before the runtime's own _start, and turns "vnet ARGS" into
 * "vnet run FLAGS file:///proc/self/fd/B?shim=S ARGS", where B and S are memfds that hold the boot script and
 * the shim. Then it jumps to _start: no second exec, no files, and /proc/PID/cmdline stays as it was typed.
 *
 * The strings and the layout are the packer's (stub.ts); struct stub_header is the contract between the two.
 */
#include <stddef.h>
#include <stdint.h>

/* A part of the executable file. */
struct stub_part {
	uint64_t offset;
	uint64_t size;
};

/* Filled in by the packer; every delta is relative to the blob's address. */
struct stub_header {
	int64_t entry_delta;   /* the runtime's own entry point */
	int64_t environ_delta; /* its GOT slot of `environ`; 0 leaves the environment alone */
	struct stub_part boot;
	struct stub_part shim;
	uint64_t args_offset; /* NUL-terminated strings, one after the other */
	uint64_t args_count;
	uint64_t env_offset; /* "NAME=VALUE" strings that replace what is set */
	uint64_t env_count;
};

_Static_assert(sizeof(struct stub_header) == 80, "stub.ts knows this size");

/* Defined in assembly, so that the compiler takes none of its fields for a constant. */
extern const struct stub_header stub_header __attribute__((visibility("hidden")));
__asm__(".section .blob.header,\"a\"\n"
	".balign 16\n"
	".globl stub_header\n"
	".hidden stub_header\n"
	"stub_header: .skip 80\n"
	".text\n");

/*
 * The process starts here with the System V entry state: rsp at argc, rdx the dynamic linker's exit hook.
 * A new argument block is laid out below the old one, which stays: its strings are still in use.
 */
__asm__(".section .text.entry,\"ax\"\n"
	".globl stub_entry\n"
	".hidden stub_entry\n"
	"stub_entry:\n"
	"  mov %rdx, %rbx\n"
	"  mov %rsp, %r12\n"
	"  mov %r12, %rdi\n"
	"  and $-16, %rsp\n"
	"  call stub_block_size\n"
	"  mov %r12, %rsp\n"
	"  sub %rax, %rsp\n"
	"  and $-16, %rsp\n"
	"  mov %rsp, %r13\n"
	"  mov %r12, %rdi\n"
	"  mov %r13, %rsi\n"
	"  call stub_build_block\n"
	"  mov %r13, %rsp\n"
	"  mov %rbx, %rdx\n"
	"  jmp *%rax\n"
	".text\n");

enum {
	SYS_WRITE = 1,
	SYS_CLOSE = 3,
	SYS_SENDFILE = 40,
	SYS_FCNTL = 72,
	SYS_EXIT_GROUP = 231,
	SYS_OPENAT = 257,
	SYS_MEMFD_CREATE = 319,
};

enum {
	AT_FDCWD = -100,
	EINTR = 4,
	F_DUPFD_CLOEXEC = 1030,
	FIRST_FREE_FD = 3, /* even where stdin, stdout or stderr were closed */
	MFD_CLOEXEC = 1,
	MFD_NOEXEC_SEAL = 8, /* Linux 6.3; refused with EINVAL before */
	O_CLOEXEC = 02000000,
	URL_SIZE = 64,
};

static inline int64_t syscall4(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d)
{
	register int64_t r10 __asm__("r10") = d;
	int64_t ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static uint64_t length_of(const char *text)
{
	uint64_t n = 0;

	while (text[n] != '\0')
		n++;
	return n;
}

static void die(const char *message)
{
	syscall4(SYS_WRITE, 2, (int64_t)message, (int64_t)length_of(message), 0);
	syscall4(SYS_EXIT_GROUP, 1, 0, 0, 0);
	__builtin_unreachable();
}

/* Says whether two "NAME=VALUE" strings have the same name. */
static int same_name(const char *a, const char *b)
{
	for (; *a == *b; a++, b++) {
		if (*a == '=' || *a == '\0')
			return 1;
	}
	return 0;
}

/* The argument block the kernel laid out: argc, argv, NULL, envp, NULL, auxv. */
struct block {
	uint64_t argc;
	uint64_t *argv;
	uint64_t *envp;
	uint64_t envc;
	uint64_t *auxv;
	uint64_t auxc; /* pairs, the closing AT_NULL among them */
};

static struct block read_block(uint64_t *sp)
{
	struct block b;

	b.argc = sp[0];
	b.argv = sp + 1;
	b.envp = b.argv + b.argc + 1;
	for (b.envc = 0; b.envp[b.envc] != 0; b.envc++)
		;
	b.auxv = b.envp + b.envc + 1;
	for (b.auxc = 1; b.auxv[2 * (b.auxc - 1)] != 0; b.auxc++)
		;
	return b;
}

static uint64_t words_of(const struct block *b)
{
	const uint64_t args = b->argc + stub_header.args_count + 2; /* argv[0] if it was missing, and the URL */
	const uint64_t env = b->envc + stub_header.env_count;

	return 1 + args + 1 + env + 1 + 2 * b->auxc;
}

/* Bytes to reserve for the new block and the URL's text behind it. */
__attribute__((used, visibility("hidden"))) uint64_t stub_block_size(uint64_t *sp)
{
	const struct block b = read_block(sp);

	return words_of(&b) * sizeof(uint64_t) + URL_SIZE;
}

static int64_t open_executable(void)
{
	const int64_t fd = syscall4(SYS_OPENAT, AT_FDCWD, (int64_t)"/proc/self/exe", O_CLOEXEC, 0);

	if (fd < 0)
		die("vnet: Cannot open /proc/self/exe: is /proc mounted?\n");
	return fd;
}

/* Copies a part of the executable to a memfd that no child inherits. */
static int64_t load(int64_t exe, const struct stub_part *part, const char *name)
{
	int64_t offset = (int64_t)part->offset;
	int64_t left = (int64_t)part->size;
	int64_t fd = syscall4(SYS_MEMFD_CREATE, (int64_t)name, MFD_CLOEXEC | MFD_NOEXEC_SEAL, 0, 0);
	int64_t kept, sent;

	if (fd < 0)
		fd = syscall4(SYS_MEMFD_CREATE, (int64_t)name, MFD_CLOEXEC, 0, 0);
	if (fd < 0)
		die("vnet: Cannot create a memfd\n");
	while (left > 0) {
		sent = syscall4(SYS_SENDFILE, fd, exe, (int64_t)&offset, left);
		if (sent == -EINTR)
			continue;
		if (sent <= 0)
			die("vnet: Cannot read the executable: is the file complete?\n");
		left -= sent;
	}
	if (fd >= FIRST_FREE_FD)
		return fd;
	kept = syscall4(SYS_FCNTL, fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD, 0);
	if (kept < 0)
		die("vnet: Cannot keep a descriptor: too many are open\n");
	syscall4(SYS_CLOSE, fd, 0, 0, 0);
	return kept;
}

static char *put_text(char *at, const char *text)
{
	while (*text != '\0')
		*at++ = *text++;
	return at;
}

static char *put_number(char *at, uint64_t n)
{
	if (n >= 10)
		at = put_number(at, n / 10);
	*at++ = (char)('0' + n % 10);
	return at;
}

/* Loads the parts and writes the URL that names them; at most URL_SIZE bytes. */
static void put_url(char *at)
{
	const int64_t exe = open_executable();
	const int64_t boot = load(exe, &stub_header.boot, "vnet-boot");
	const int64_t shim = load(exe, &stub_header.shim, "vnet-shim");

	syscall4(SYS_CLOSE, exe, 0, 0, 0);
	at = put_text(at, "file:///proc/self/fd/");
	at = put_number(at, (uint64_t)boot);
	at = put_text(at, "?shim=");
	at = put_number(at, (uint64_t)shim);
	*at = '\0';
}

static uint64_t *put_args(uint64_t *out, const struct block *b, const char *ours, uint64_t url)
{
	*out++ = b->argc > 0 ? b->argv[0] : (uint64_t)"vnet";
	for (uint64_t i = 0; i < stub_header.args_count; i++, ours += length_of(ours) + 1)
		*out++ = (uint64_t)ours;
	*out++ = url;
	for (uint64_t i = 1; i < b->argc; i++)
		*out++ = b->argv[i];
	return out;
}

static uint64_t *put_env(uint64_t *out, const struct block *b, const char *ours)
{
	const char *first = ours;

	for (uint64_t i = 0; i < stub_header.env_count; i++, ours += length_of(ours) + 1)
		*out++ = (uint64_t)ours;
	for (uint64_t i = 0; i < b->envc; i++) {
		const char *entry = (const char *)b->envp[i];
		uint64_t same = 0;

		ours = first;
		for (uint64_t j = 0; j < stub_header.env_count; j++, ours += length_of(ours) + 1)
			same |= (uint64_t)same_name(entry, ours);
		if (!same)
			*out++ = b->envp[i];
	}
	return out;
}

/* Lays out the new block at `out`. Returns the address of the runtime's own entry point. */
__attribute__((used, visibility("hidden"))) uint64_t stub_build_block(uint64_t *sp, uint64_t *out)
{
	const char *blob = (const char *)&stub_header;
	const struct block b = read_block(sp);
	char *url = (char *)(out + words_of(&b));
	uint64_t *start = out;

	put_url(url);
	out = put_args(start + 1, &b, blob + stub_header.args_offset, (uint64_t)url);
	start[0] = (uint64_t)(out - start - 1);
	*out++ = 0;
	if (stub_header.environ_delta != 0)
		**(uint64_t **)(blob + stub_header.environ_delta) = (uint64_t)out;
	out = put_env(out, &b, blob + stub_header.env_offset);
	*out++ = 0;
	for (uint64_t i = 0; i < 2 * b.auxc; i++)
		*out++ = b.auxv[i];
	return (uint64_t)(blob + stub_header.entry_delta);
}
