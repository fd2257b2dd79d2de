/*
 * l4/re/c/log.h - text to the log
 *
 * None of these disturbs a message that lies in the UTCB.
 */
#pragma once

#include <l4/re/env.h>
#include <l4/sys/compiler.h>
#include <l4/sys/types.h>

L4_CV void l4re_log_printn_srv(l4_cap_idx_t logcap, char const *string, int len);

L4_INLINE void l4re_log_print_srv(l4_cap_idx_t logcap, char const *string)
{
    l4re_log_printn_srv(logcap, string, (int)__builtin_strlen(string));
}

L4_INLINE void l4re_log_printn(char const *string, int len)
{
    l4re_log_printn_srv(l4re_env()->log, string, len);
}

L4_INLINE void l4re_log_print(char const *string)
{
    l4re_log_print_srv(l4re_env()->log, string);
}
