// SPDX-License-Identifier: Apache-2.0
/*
 * What a process gives up for good, for all its threads: core dumps, being looked into, and system
 * calls that no part of vnet makes. The list is what systemd.exec(5) has in @module, @raw-io, @reboot,
 * @swap, @clock, @mount, @debug, @keyring and a few more. Source: seccomp(2), prctl(2)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vnet_shim.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000u
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "no list of system calls for this architecture"
#endif

/* The kernel's headers may be older than the kernel; these numbers are the same everywhere. */
#define NR_OPEN_TREE 428
#define NR_MOVE_MOUNT 429
#define NR_FSOPEN 430
#define NR_FSCONFIG 431
#define NR_FSMOUNT 432
#define NR_FSPICK 433
#define NR_CLONE3 435
#define NR_PIDFD_GETFD 438
#define NR_MOUNT_SETATTR 442
#define NR_QUOTACTL_FD 443

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

static const uint32_t denied[] = {
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
	SYS_reboot,
	SYS_swapon,
	SYS_swapoff,
	SYS_acct,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_adjtimex,
	SYS_clock_adjtime,
#ifdef __x86_64__
	SYS_iopl,
	SYS_ioperm,
	SYS_modify_ldt,
#endif
	SYS_syslog,
	SYS_quotactl,
	NR_QUOTACTL_FD,
	SYS_vhangup,
	SYS_pivot_root,
	SYS_chroot,
	NR_OPEN_TREE,
	NR_MOVE_MOUNT,
	NR_FSOPEN,
	NR_FSCONFIG,
	NR_FSMOUNT,
	NR_FSPICK,
	NR_MOUNT_SETATTR,
	SYS_setns,
	SYS_unshare,
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	NR_PIDFD_GETFD,
	SYS_kcmp,
	SYS_perf_event_open,
	SYS_bpf,
	SYS_userfaultfd,
	SYS_add_key,
	SYS_request_key,
	SYS_keyctl,
	SYS_open_by_handle_at,
	SYS_fanotify_init,
	SYS_sethostname,
	SYS_setdomainname,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
};

static const uint32_t families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define PROGRAM_LIMIT (2 * COUNT(denied) + 2 * COUNT(families) + 32)

struct program {
	struct sock_filter code[PROGRAM_LIMIT];
	uint16_t len;
};

static void put(struct program *program, uint32_t code, uint8_t yes, uint8_t no, uint32_t value)
{
	program->code[program->len++] =
		(struct sock_filter){ .code = (uint16_t)code, .jt = yes, .jf = no, .k = value };
}

static void load(struct program *program, uint32_t offset)
{
	put(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void finish(struct program *program, uint32_t action)
{
	put(program, BPF_RET | BPF_K, 0, 0, action);
}

/* "Is it this call? Then that." */
static void on_call(struct program *program, uint32_t number, uint32_t action)
{
	put(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number);
	finish(program, action);
}

/* The lower half of an argument; both architectures are little-endian. */
static uint32_t argument(uint32_t index)
{
	return (uint32_t)(offsetof(struct seccomp_data, args) + index * sizeof(uint64_t));
}

static void write_program(struct program *program, uint32_t flags)
{
	const uint32_t no = SECCOMP_RET_ERRNO | EPERM;

	load(program, offsetof(struct seccomp_data, arch));
	put(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCH);
	finish(program, SECCOMP_RET_KILL_PROCESS);
	load(program, offsetof(struct seccomp_data, nr));
#ifdef X32_BIT
	put(program, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
	finish(program, no);
#endif
	for (uint32_t i = 0; i < COUNT(denied); i++)
		on_call(program, denied[i], no);
	if (!(flags & VNET_HARDEN_MAY_MOUNT)) {
		on_call(program, SYS_mount, no);
		on_call(program, SYS_umount2, no);
	}
	if (flags & VNET_HARDEN_NO_PROGRAMS) {
		on_call(program, SYS_execve, no);
		on_call(program, SYS_execveat, no);
	}
	/* its flags lie in memory, where no filter can see them; the C library then takes clone() */
	on_call(program, NR_CLONE3, SECCOMP_RET_ERRNO | ENOSYS);
	put(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, SYS_clone);
	load(program, argument(0));
	put(program, BPF_JMP | BPF_JSET | BPF_K, 0, 1, NAMESPACES);
	finish(program, no);
	finish(program, SECCOMP_RET_ALLOW);
	put(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SYS_socket);
	finish(program, SECCOMP_RET_ALLOW);
	load(program, argument(0));
	for (uint32_t i = 0; i < COUNT(families); i++)
		on_call(program, families[i], SECCOMP_RET_ALLOW);
	finish(program, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
}

/* Puts the filter over every thread. Returns 0, or -errno; -EBUSY for a thread with another filter. */
static int32_t set_filter(uint32_t flags)
{
	struct program program = { .len = 0 };
	struct sock_fprog filter = { .filter = program.code };
	long ret;

	write_program(&program, flags);
	filter.len = program.len;
	ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
	if (ret < 0)
		return -errno;
	return ret > 0 ? -EBUSY : 0;
}

/* Where a limit may not be set, as under a service manager, it may be there already. */
static int32_t forbid_cores(void)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit present;

	if (getrlimit(RLIMIT_CORE, &present) == 0 && present.rlim_max == 0)
		return 0;
	return setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
}

int32_t vnet_process_harden(uint32_t flags)
{
	int32_t cores, looks, filter;

	if (flags & ~(VNET_HARDEN_NO_PROGRAMS | VNET_HARDEN_MAY_MOUNT))
		return -EINVAL;
	cores = forbid_cores();
	looks = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
	filter = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : set_filter(flags);
	if (filter < 0)
		return filter;
	return looks < 0 ? looks : cores;
}
