/*
 * err.c - texts of error codes
 */
#include <l4/sys/err.h>

struct error_text {
    short number;
    const char *text;
};

static const struct error_text texts[] = {
#define X(name, number, text) {number, text},
    L4_ERRORS(X)
#undef X
#define X(name, number, text) {L4_EIPC_LO + number, "IPC: " text},
    L4_IPC_ERRORS(X)
#undef X
};

char const *l4sys_errtostr(long err)
{
    unsigned i;

    if (err < 0)
        err = -err;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].number == err)
            return texts[i].text;
    }
    return "unknown error";
}
