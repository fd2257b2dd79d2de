/*
 * klog.c - the kernel log on the serial port; panic
 */
#include "klog.h"

#include <stdarg.h>

#include "kassert.h"
#include "x86/cpu.h"

enum { EXIT_PORT = 0xf4, EXIT_ORDERLY = 0x10, EXIT_PANIC = 0x7f, BACKTRACE_MAX = 24 };

extern char boot_stack[], stack_guard[], stack_bottom[], stack_top[];

static void put(char c)
{
    if (c == '\n')
        serial_put('\r');
    serial_put(c);
}

void klog_write(const char *s, size_t n)
{
    while (n--)
        put(*s++);
}

static void put_number(uint64_t v, unsigned base, unsigned width, char pad)
{
    char buf[24];
    unsigned n = 0;

    do {
        buf[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    for (; width > n; width--)
        put(pad);
    while (n)
        put(buf[--n]);
}

static const char *put_spec(const char *f, va_list *ap)
{
    unsigned width = 0, is_long = 0;
    char pad = ' ';
    int64_t v;

    if (*f == '0')
        pad = '0';
    for (; *f >= '0' && *f <= '9'; f++)
        width = width * 10 + (unsigned)(*f - '0');
    for (; *f == 'l'; f++)
        is_long = 1;
    switch (*f) {
    case 's':
        for (const char *s = va_arg(*ap, const char *); *s; s++)
            put(*s);
        break;
    case 'c':
        put((char)va_arg(*ap, int));
        break;
    case 'd':
        v = is_long ? va_arg(*ap, long) : va_arg(*ap, int);
        if (v < 0)
            put('-');
        put_number(v < 0 ? -(uint64_t)v : (uint64_t)v, 10, width, pad);
        break;
    case 'p':
        is_long = 1; /* fall through */
    case 'x':
    case 'u':
        put_number(is_long ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned),
                   *f == 'u' ? 10 : 16, width, pad);
        break;
    default:
        put('%');
        put(*f);
    }
    return f + 1;
}

static void vlog(const char *fmt, va_list *ap)
{
    while (*fmt) {
        if (*fmt == '%')
            fmt = put_spec(fmt + 1, ap);
        else
            put(*fmt++);
    }
}

void klog(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vlog(fmt, &ap);
    va_end(ap);
}

void backtrace(uint64_t ip, uint64_t rbp)
{
    klog("backtrace kernel: 0x%lx", ip);
    for (unsigned i = 0; i < BACKTRACE_MAX; i++) {
        if ((rbp & 7) || rbp < (uint64_t)boot_stack || rbp >= (uint64_t)stack_top - 8 ||
            (rbp >= (uint64_t)stack_guard - 8 && rbp < (uint64_t)stack_bottom))
            break;
        klog(" 0x%lx", ((uint64_t *)rbp)[1]);
        rbp = *(uint64_t *)rbp;
    }
    klog("\n");
}

static void __attribute__((noreturn)) off(uint8_t code)
{
    outb(EXIT_PORT, code);
    outw(0x604, 0x2000); /* ACPI power-off of QEMU's PC machines */
    outw(0xb004, 0x2000);
    klog("the machine can be switched off now\n");
    cpu_halt();
}

void panic(const char *fmt, ...)
{
    va_list ap;

    klog("\npanic: ");
    va_start(ap, fmt);
    vlog(fmt, &ap);
    va_end(ap);
    klog("\n");
    backtrace((uint64_t)__builtin_return_address(0), (uint64_t)__builtin_frame_address(0));
    off(EXIT_PANIC);
}

void machine_off(unsigned status)
{
    off((uint8_t)(EXIT_ORDERLY + (status > 100 ? 100 : status)));
}

void kassert_fail(const char *expr, const char *file, int line)
{
    panic("assertion failed: %s, %s:%d", expr, file, line);
}
