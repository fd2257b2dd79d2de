/*
 * log.c - text to the log
 */
#include <string.h>

#include <l4/re/c/log.h>
#include <l4/sys/vcon.h>

/*
 * A piece is a message like any other; what lay in the message registers before is put back, so
 * that a server may print between reading a request and writing the answer.
 */
void l4re_log_printn_srv(l4_cap_idx_t logcap, char const *string, int len)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t saved[L4_UTCB_GENERIC_DATA_SIZE];
    l4_umword_t saved_error = u->tcr.error;

    if (len <= 0)
        return;
    memcpy(saved, u->msg.mr, sizeof(saved));
    while (len > 0) {
        long n = l4_vcon_write_u(logcap, string, (unsigned)len, u);

        if (n <= 0)
            break; /* no log: there is nobody to tell */
        string += n;
        len -= (int)n;
    }
    memcpy(u->msg.mr, saved, sizeof(saved));
    u->tcr.error = saved_error;
}
