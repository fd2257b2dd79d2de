/*
 * calls.c - the C library's system calls: registers, bad pointers, numbers that nobody serves
 */
#include "sets.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <l4/sys/utcb.h>

#define NOWHERE ((void *)0x654321fed000)
#define NON_CANONICAL ((void *)0x8000000000001000)
#define KERNEL ((void *)0xffffffff80200000)

struct registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t red_zone, flags;
    unsigned char xmm[16][16];
};
/* registers.S: load all of `before`, make the call, store all to `after`. */
void call_with(const struct registers *before, struct registers *after);

static void random_registers(struct registers *r, uint64_t number)
{
    unsigned char *bytes = (unsigned char *)r;

    for (size_t i = 0; i < sizeof(*r); i++)
        bytes[i] = (unsigned char)rand();
    r->rax = number;
}

/* The call must not do anything: its arguments are random. */
static bool registers_stay(uint64_t number, uint64_t *result)
{
    static struct registers before, after;

    random_registers(&before, number);
    call_with(&before, &after);
    *result = after.rax;
    after.rax = before.rax;
    after.rcx = before.rcx;
    after.r11 = before.r11;
    return memcmp(&before, &after, offsetof(struct registers, flags)) == 0 &&
           memcmp(before.xmm, after.xmm, sizeof(before.xmm)) == 0;
}

static void registers(void)
{
    static l4_msg_regs_t words;
    l4_utcb_t *u = l4_utcb();
    uint64_t result;

    for (unsigned i = 0; i < L4_UTCB_GENERIC_DATA_SIZE; i++)
        u->msg.mr[i] = words.mr[i] = (l4_umword_t)rand();
    u->buf.bdr = 5;
    u->buf.br[0] = 77;
    check(registers_stay(SYS_getpid, &result) && result == 1, "a call changes rax, rcx, r11 only");
    check(registers_stay(SYS_sched_yield, &result) && result == 0, "so does one with a message");
    check(registers_stay(SYS_ioctl, &result), "and one that fails");
    check(registers_stay(1000, &result) && result == (uint64_t)-ENOSYS, "and one that is none");
    usleep(1);
    sched_yield();
    printf("# a line between\n");
    free(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? words.mr
                                                                                   : NULL);
    check(memcmp(u->msg.mr, words.mr, sizeof(words.mr)) == 0 && u->buf.bdr == 5 &&
           u->buf.br[0] == 77, "a message in the making is not disturbed");
    u->buf.bdr = 0;
}

/* Numbers that are served with random arguments would do what is asked: only the others. */
static void random_numbers(void)
{
    enum { NUMBERS = 2000 };
    int wrong = 0, disturbed = 0;

    for (int i = 0; i < NUMBERS; i++) {
        uint64_t number = 0, result;

        for (int bits = 0; bits < 64; bits += 15)
            number = number << 15 | (uint64_t)rand();
        number >>= rand() % 54;
        number = (number + 512) & ~0x4000UL; /* bit 14 would make it a call of L4 */
        disturbed += !registers_stay(number, &result);
        wrong += result != (uint64_t)-ENOSYS;
    }
    check_eq(wrong, 0, "2,000 random numbers: there is no such call");
    check_eq(disturbed, 0, "and no register is disturbed");
}

static long failed(long result)
{
    return result == -1 ? -errno : result;
}

/* Linux's numbers that docs/libl4.md does not promise. */
static void small_numbers(void)
{
    static const short served[] = {
        SYS_read, SYS_write, SYS_open, SYS_close, SYS_lseek, SYS_mmap, SYS_mprotect, SYS_munmap,
        SYS_brk, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_ioctl, SYS_readv, SYS_writev,
        SYS_sched_yield, SYS_mremap, SYS_madvise, SYS_pause, SYS_nanosleep, SYS_getpid, SYS_clone,
        SYS_exit, SYS_kill, SYS_getuid, SYS_getgid, SYS_geteuid, SYS_getegid, SYS_gettid,
        SYS_tkill, SYS_futex, SYS_set_tid_address, SYS_clock_gettime, SYS_clock_getres,
        SYS_clock_nanosleep, SYS_exit_group, SYS_openat, SYS_arch_prctl};
    int wrong = 0, other = 0;

    for (long number = 0; number < 1000; number++) {
        unsigned i = 0;

        while (i < sizeof(served) / sizeof(served[0]) && served[i] != number)
            i++;
        if (i < sizeof(served) / sizeof(served[0]))
            continue;
        other++;
        wrong += failed(syscall(number, 1, NOWHERE, NOWHERE, 4096, 0, 0)) != -ENOSYS;
    }
    check_eq(other, 1000 - 37, "of Linux's first thousand numbers 37 are served");
    check_eq(wrong, 0, "all others are ENOSYS");
}

/* There are no signals: nobody handles one, none is held up. */
static void signals(void)
{
    struct sigaction old;
    sigset_t held;
    int wrong = 0;

    memset(&old, 0x55, sizeof(old));
    check(sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_DFL && old.sa_flags == 0,
          "a signal is handled as it is everywhere");
    memset(&held, 0x55, sizeof(held));
    check(sigprocmask(SIG_BLOCK, NULL, &held) == 0, "asked for its signals a thread");
    for (int i = 1; i < 65; i++)
        wrong += sigismember(&held, i) == 1;
    check_eq(wrong, 0, "holds up none");
    check(failed(syscall(SYS_rt_sigaction, SIGINT, NULL, NOWHERE, 8)) == -EFAULT &&
              failed(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, KERNEL, 8)) == -EFAULT &&
              failed(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &held, 16)) == -EINVAL,
          "what was there is not told to a bad pointer");
}

static void bad_pointers(void)
{
    static void *const bad[] = {NULL, (void *)8, NOWHERE, NON_CANONICAL, KERNEL, (void *)-8UL};
    int wrong = 0, file = open("clib.elf", O_RDONLY);

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct iovec v = {bad[i], 100};

        wrong += failed(write(1, bad[i], 100)) != -EFAULT;
        wrong += failed(writev(1, bad[i], 2)) != -EFAULT;
        wrong += failed(writev(1, &v, 1)) != -EFAULT;
        wrong += failed(syscall(SYS_clock_gettime, 1, bad[i])) != -EFAULT;
        wrong += failed(syscall(SYS_nanosleep, bad[i], NULL)) != -EFAULT;
        wrong += failed(syscall(SYS_clock_getres, 1, bad[i])) != (bad[i] ? -EFAULT : 0);
        wrong += failed(syscall(SYS_clock_nanosleep, 1, 0, bad[i], NULL)) != -EFAULT;
        wrong += failed(syscall(SYS_open, bad[i], 0)) != -EFAULT;
        wrong += failed(syscall(SYS_openat, -100, bad[i], 0)) != -EFAULT;
        wrong += failed(read(file, bad[i], 100)) != -EFAULT;
        wrong += failed(readv(file, bad[i], 2)) != -EFAULT;
        wrong += failed(readv(file, &v, 1)) != -EFAULT;
        wrong += failed(syscall(SYS_ioctl, 1, 0x5413, bad[i])) != -EFAULT;
        wrong += failed(syscall(SYS_futex, bad[i], 0, 0, NULL)) != -EFAULT;
    }
    check_eq(wrong, 0, "bad pointers are EFAULT");
    check(lseek(file, 0, SEEK_CUR) == 0 && close(file) == 0, "a file stays where it was");
    wrong = write(1, NOWHERE, 0) != 0 || failed(write(7, "x", 1)) != -EBADF ||
            failed(read(7, &wrong, 1)) != -EBADF || failed(lseek(7, 0, 0)) != -EBADF ||
            failed(close(7)) != -EBADF || failed(syscall(SYS_writev, 1, NOWHERE, ~0UL)) != -EINVAL;
    check_eq(wrong, 0, "bad descriptors and counts are refused");
}

/* The end of a page behind which there is none: what is before it is written. */
static void half_a_text(void)
{
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    munmap(page + 4096, 4096);
    page[4094] = '#', page[4095] = '\n';
    check_eq(write(1, page + 4094, 10), 2, "a text that goes too far is written as far as it goes");
    check_eq(failed(read(0, page, 10)), 0, "there is nothing to read");
    munmap(page, 4096);
}

void test_calls(void)
{
    registers();
    random_numbers();
    small_numbers();
    signals();
    bad_pointers();
    half_a_text();
}
