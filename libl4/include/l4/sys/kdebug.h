/*
 * l4/sys/kdebug.h - output for the desperate: straight to the kernel log, no library state
 */
#pragma once

#include <l4/sys/vcon.h>

L4_INLINE void outnstring(char const *text, unsigned len)
{
    while (len > 0) {
        long n = l4_vcon_write(L4_BASE_LOG_CAP, text, len);

        if (n <= 0)
            return;
        text += n;
        len -= (unsigned)n;
    }
}

L4_INLINE void outstring(char const *text)
{
    outnstring(text, __builtin_strlen(text));
}

L4_INLINE void outchar(char c)
{
    outnstring(&c, 1);
}

L4_INLINE void outhex64(l4_uint64_t number)
{
    char text[16];
    int i;

    for (i = 15; i >= 0; i--, number >>= 4)
        text[i] = "0123456789abcdef"[number & 15];
    outnstring(text, sizeof(text));
}

L4_INLINE void outumword(l4_umword_t number)
{
    outhex64(number);
}

L4_INLINE void outdec(l4_umword_t number)
{
    char text[20];
    unsigned i = sizeof(text);

    do
        text[--i] = (char)('0' + number % 10);
    while (number /= 10);
    outnstring(text + i, sizeof(text) - i);
}

/* L4Re stops in the kernel debugger here; Quire has none and goes on. */
L4_INLINE void l4_kd_enter(char const *text)
{
    outstring(text);
    outchar('\n');
}
