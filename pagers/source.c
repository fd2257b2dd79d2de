/*
 * source.c - inside the framework: what a stranger's dataspace is asked
 */
#include "source.h"

#include <abi/errors.h>
#include <abi/msg.h>
#include <abi/protocols.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>

#include <string.h>

/* Microseconds that the other manager may take for an answer before we give up on it. */
enum { SOURCE_TIMEOUT_US = 5000000 };

static l4_msgtag_t ask(l4_cap_idx_t ds, l4_utcb_t *utcb, unsigned words)
{
    l4_timeout_s wait = l4_timeout_from_us(SOURCE_TIMEOUT_US);

    return l4_ipc_call(ds, utcb, l4_msgtag(L4RE_PROTO_DATASPACE, words, 0, 0),
                       l4_timeout(wait, wait));
}

static long map(l4_cap_idx_t ds, l4_umword_t offset, l4_addr_t window)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_msgtag_t tag;
    long err;

    utcb->msg.mr[0] = L4RE_DS_MAP_OP;
    utcb->msg.mr[1] = offset;
    utcb->msg.mr[2] = window;
    utcb->msg.mr[3] = L4RE_DS_F_R;
    utcb->buf.bdr = 0;
    utcb->buf.br[0] = L4_ITEM_MAP;
    utcb->buf.br[1] = l4_fpage(window, L4_PAGESHIFT, 0).raw;
    tag = ask(ds, utcb, 4);
    if ((err = l4_error_u(tag, utcb)) < 0)
        return err;
    if (l4_msgtag_items(tag) == 0 || l4_msgtag_words(tag) > L4_UTCB_GENERIC_DATA_SIZE - 2 ||
        (utcb->msg.mr[l4_msgtag_words(tag)] & L4_ITEM_RET_MASK) != L4_ITEM_RET_MAPPED)
        return -L4_EIO;
    return 0;
}

long source_read(l4_cap_idx_t ds, l4_umword_t offset, l4_addr_t window, void *to, l4_umword_t size)
{
    long err = map(ds, offset & L4_PAGEMASK, window);

    if (err == 0)
        memcpy(to, (const char *)window + (offset & (L4_PAGESIZE - 1)), size);
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(window, L4_PAGESHIFT, L4_FPAGE_RWX),
                  L4_FP_ALL_SPACES);
    return err;
}

long source_size(l4_cap_idx_t ds, l4_umword_t *size)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_msgtag_t tag;
    long err;

    utcb->msg.mr[0] = L4RE_DS_INFO_OP;
    tag = ask(ds, utcb, 1);
    if ((err = l4_error_u(tag, utcb)) < 0)
        return err;
    *size = utcb->msg.mr[0];
    return l4_msgtag_words(tag) < 2 ? -L4_EMSGTOOSHORT : 0;
}
