/*
 * klog.h - the kernel log, and the end of everything
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* %s %c %d %u %x %lx %lu %p; no widths but %0Nx. */
__attribute__((format(printf, 1, 2))) void klog(const char *fmt, ...);
void klog_write(const char *s, size_t n);

/* Say why, print the calls that led here, power off with the panic status. */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *fmt, ...);
/* Orderly end: the machine goes off with `status` (0..100). */
__attribute__((noreturn)) void machine_off(unsigned status);
/* `backtrace kernel: ...` from a frame pointer. */
void backtrace(uint64_t ip, uint64_t rbp);
