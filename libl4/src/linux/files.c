/*
 * files.c - file descriptors: 0 is empty, 1 and 2 are the log, others files of the rom, read-only
 *
 * F1  What one write or writev says reaches the log in as few messages as it fits, so that the
 *     lines of several programs do not mix.
 * F2  A file that is open is attached as a whole; its pages come when they are read.
 */
#include "linux.h"

#include <l4/re/c/dataspace.h>
#include <l4/re/c/namespace.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/vcon.h>
#include <src/lock.h>

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILES_MAX = 32, FIRST_FILE = 3, NAME_SIZE = 128, COLUMNS = 80, ROWS = 25 };

struct file {
    const char *base; /* NULL: free */
    l4_umword_t size;
    l4_umword_t at;
    l4re_ds_t ds;
};

static struct file files[FILES_MAX];
static struct lock lock; /* who opens, closes, reads or seeks */

static struct file *file_of(l4_umword_t fd)
{
    struct file *file = &files[fd - FIRST_FILE];

    return fd >= FIRST_FILE && fd < FIRST_FILE + FILES_MAX && file->base ? file : NULL;
}

/* ---------------------------------------------------------------- the log */

struct log_text {
    size_t used;
    char text[L4_VCON_WRITE_SIZE];
};

/* No log: there is nobody to tell. */
static void log_send(struct log_text *t)
{
    size_t at = 0;
    long n = 1;

    for (; at < t->used && n > 0; at += (size_t)n)
        n = l4_vcon_write(l4re_env()->log, t->text + at, (unsigned)(t->used - at));
    t->used = 0;
}

/* How many of the n bytes at `from` could be read. */
static size_t log_put(struct log_text *t, const char *from, size_t n)
{
    size_t done = 0;

    while (done < n) {
        size_t part = sizeof(t->text) - t->used;
        size_t failed;

        if (part > n - done)
            part = n - done;
        failed = linux_copy(t->text + t->used, from + done, part);
        t->used += part - failed;
        done += part - failed;
        if (t->used == sizeof(t->text))
            log_send(t);
        if (failed)
            break;
    }
    return done;
}

static long file_read(struct file *file, char *to, size_t n)
{
    size_t failed;

    if (file->at >= file->size)
        return 0;
    if (n > file->size - file->at)
        n = file->size - file->at;
    failed = linux_copy(to, file->base + file->at, n);
    file->at += n - failed;
    return n > failed || n == 0 ? (long)(n - failed) : -EFAULT;
}

/* ---------------------------------------------------------------- reading and writing */

/* The vector at `from`, -EFAULT or -EINVAL. */
static long vector_get(struct iovec *v, size_t max, l4_umword_t from, l4_umword_t count)
{
    l4_umword_t total = 0;

    if (count > max)
        return -EINVAL;
    if (linux_copy(v, (const void *)from, count * sizeof(*v)))
        return -EFAULT;
    for (l4_umword_t i = 0; i < count; i++)
        if (__builtin_add_overflow(total, v[i].iov_len, &total) || total > SSIZE_MAX)
            return -EINVAL;
    return 0;
}

static long write_vector(l4_umword_t fd, const struct iovec *v, size_t count)
{
    struct log_text t;
    long done = 0;
    size_t n = 0;

    if (fd != STDOUT_FILENO && fd != STDERR_FILENO)
        return -EBADF;
    t.used = 0;
    for (size_t i = 0; i < count && (i == 0 || n == v[i - 1].iov_len); i++) {
        n = log_put(&t, v[i].iov_base, v[i].iov_len);
        done += (long)n;
        if (n < v[i].iov_len && done == 0)
            return -EFAULT;
    }
    log_send(&t);
    return done;
}

static long read_vector(l4_umword_t fd, const struct iovec *v, size_t count)
{
    struct file *file;
    long done = 0, n = 0;

    if (fd == STDIN_FILENO)
        return 0;
    lock_take(&lock);
    file = file_of(fd);
    for (size_t i = 0; file && i < count && n >= 0; i++) {
        n = file_read(file, v[i].iov_base, v[i].iov_len);
        if (n > 0)
            done += n;
    }
    lock_drop(&lock);
    if (!file)
        return -EBADF;
    return done == 0 ? n : done;
}

/* Vectors longer than this are served in part, as POSIX allows: the C library's have two parts. */
enum { VECTOR = 8, VECTOR_MAX = 1024 };

static long vector_call(const struct linux_frame *f,
                        long (*serve)(l4_umword_t fd, const struct iovec *v, size_t count))
{
    struct iovec v[VECTOR];
    l4_umword_t count = f->rdx < VECTOR ? f->rdx : VECTOR;
    long err = f->rdx > VECTOR_MAX ? -EINVAL : vector_get(v, VECTOR, f->rsi, count);

    return err ? err : serve(f->rdi, v, count);
}

long linux_readv(const struct linux_frame *f)
{
    return vector_call(f, read_vector);
}

long linux_writev(const struct linux_frame *f)
{
    return vector_call(f, write_vector);
}

long linux_read(const struct linux_frame *f)
{
    struct iovec v = {(void *)f->rsi, f->rdx <= SSIZE_MAX ? f->rdx : SSIZE_MAX};

    return read_vector(f->rdi, &v, 1);
}

long linux_write(const struct linux_frame *f)
{
    struct iovec v = {(void *)f->rsi, f->rdx <= SSIZE_MAX ? f->rdx : SSIZE_MAX};

    return write_vector(f->rdi, &v, 1);
}

/* ---------------------------------------------------------------- open and close */

/* The dataspace of that name, attached. */
static long file_attach(struct file *file, const char *name)
{
    l4_cap_idx_t rom = l4re_env_get_cap("rom");
    void *base = NULL;
    long err;

    if (l4_is_invalid_cap(rom) || l4_is_invalid_cap(l4re_env()->rm))
        return -ENOENT;
    file->ds = l4re_util_cap_alloc();
    if (l4_is_invalid_cap(file->ds))
        return -ENFILE;
    err = l4re_ns_query_srv(rom, name, file->ds);
    if (err) {
        l4re_util_cap_free(file->ds);
        return err == -L4_ENOENT ? -ENOENT : -EIO;
    }
    file->size = l4re_ds_size(file->ds);
    err = l4re_rm_attach(&base, file->size, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_R, file->ds, 0,
                         L4_PAGESHIFT);
    if (err) {
        l4re_util_cap_free_um(file->ds);
        return -ENOMEM;
    }
    file->base = base;
    file->at = 0;
    return 0;
}

static long file_open(l4_umword_t from, l4_umword_t flags)
{
    char name[NAME_SIZE];
    size_t got = sizeof(name) - linux_copy(name, (const void *)from, sizeof(name));
    unsigned n = 0;
    long err = -EMFILE;

    if (strnlen(name, got) == got)
        return got < sizeof(name) ? -EFAULT : -ENAMETOOLONG;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)))
        return -EROFS;
    lock_take(&lock);
    while (n < FILES_MAX && files[n].base)
        n++;
    if (n < FILES_MAX)
        err = file_attach(&files[n], name + (name[0] == '/'));
    lock_drop(&lock);
    return err ? err : (long)(FIRST_FILE + n);
}

long linux_open(const struct linux_frame *f)
{
    return file_open(f->rdi, f->rsi);
}

long linux_openat(const struct linux_frame *f)
{
    return file_open(f->rsi, f->rdx);
}

long linux_close(const struct linux_frame *f)
{
    struct file *file;

    if (f->rdi < FIRST_FILE)
        return 0;
    lock_take(&lock);
    file = file_of(f->rdi);
    if (file) {
        l4re_rm_detach((void *)file->base);
        l4re_util_cap_free_um(file->ds);
        file->base = NULL;
    }
    lock_drop(&lock);
    return file ? 0 : -EBADF;
}

long linux_lseek(const struct linux_frame *f)
{
    struct file *file;
    long at = -EBADF;

    if (f->rdi < FIRST_FILE)
        return -ESPIPE;
    lock_take(&lock);
    file = file_of(f->rdi);
    if (file) {
        l4_umword_t from[] = {0, file->at, file->size};

        at = f->rdx > SEEK_END ? -EINVAL : (long)(from[f->rdx] + f->rsi);
        if (at < 0)
            at = -EINVAL;
        else
            file->at = (l4_umword_t)at;
    }
    lock_drop(&lock);
    return at;
}

/* The log is a terminal: so stdout shows each line when it ends. */
long linux_ioctl(const struct linux_frame *f)
{
    struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS};

    if (f->rdi >= FIRST_FILE || f->rsi != TIOCGWINSZ)
        return -ENOTTY;
    return linux_copy((void *)f->rdx, &size, sizeof(size)) ? -EFAULT : 0;
}
