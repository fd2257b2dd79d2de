/*
 * sigma0.c - requests to the root pager
 */
#include <abi/sigma0.h>
#include <l4/sigma0/sigma0.h>
#include <l4/sys/ipc.h>

enum { ORDER_DIRECT = 26 }; /* blocks from here on are more than sigma0 clears in one request */

/* The largest flexpage that starts at both addresses and fits the size. */
static unsigned order_fit(l4_addr_t phys, l4_addr_t virt, l4_addr_t size)
{
    unsigned order = 63 - (unsigned)__builtin_clzl(size);
    l4_addr_t both = phys | virt;

    if (both != 0 && (unsigned)__builtin_ctzl(both) < order)
        order = (unsigned)__builtin_ctzl(both);
    return order;
}

/* One request; the answer's item lands in `window`. Returns -enum l4sigma0_return_flags_t. */
static int request(l4_cap_idx_t sigma0, l4_umword_t req, l4_fpage_t what, l4_fpage_t window)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t kind;
    l4_msgtag_t tag;

    u->msg.mr[0] = req;
    u->msg.mr[1] = what.raw;
    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = window.raw;
    tag = l4_ipc_call(sigma0, u, l4_msgtag(L4_PROTO_SIGMA0, 2, 0, 0), L4_IPC_NEVER);
    if (l4_msgtag_has_error(tag))
        return -L4SIGMA0_IPCERROR;
    if (l4_msgtag_label(tag) < 0 || l4_msgtag_items(tag) < 1)
        return -L4SIGMA0_NOFPAGE;
    kind = u->msg.mr[l4_msgtag_words(tag)] & L4_ITEM_RET_MASK;
    return kind == L4_ITEM_RET_MAPPED ? 0 : -L4SIGMA0_NOFPAGE;
}

static int range_map(l4_cap_idx_t sigma0, l4_addr_t phys, l4_addr_t virt, l4_addr_t size,
                     l4_umword_t req)
{
    if ((phys | virt | size) & ~L4_PAGEMASK)
        return -L4SIGMA0_NOTALIGNED;
    while (size > 0) {
        unsigned order = order_fit(phys, virt, size);
        int err;

        for (;;) {
            err = request(sigma0, req, l4_fpage(phys, order, L4_FPAGE_RWX),
                          l4_fpage(virt, order, L4_FPAGE_RWX));
            /* What does not exist as one page of this size may exist as smaller ones. */
            if (err != -L4SIGMA0_NOFPAGE || order == L4_PAGESHIFT)
                break;
            order = order > L4_SUPERPAGESHIFT ? L4_SUPERPAGESHIFT : L4_PAGESHIFT;
        }
        if (err)
            return err;
        phys += 1UL << order;
        virt += 1UL << order;
        size -= 1UL << order;
    }
    return 0;
}

int l4sigma0_map_mem(l4_cap_idx_t sigma0, l4_addr_t phys, l4_addr_t virt, l4_addr_t size)
{
    return range_map(sigma0, phys, virt, size, SIGMA0_REQ_FPAGE_RAM);
}

int l4sigma0_map_iomem(l4_cap_idx_t sigma0, l4_addr_t phys, l4_addr_t virt, l4_addr_t size,
                       int cached)
{
    return range_map(sigma0, phys, virt, size,
                     cached ? SIGMA0_REQ_FPAGE_IOMEM_CACHED : SIGMA0_REQ_FPAGE_IOMEM);
}

/*
 * More than sigma0 clears in one request: by the RAM service. Its items' send base is the physical
 * address, so the window rule places them as it would the whole.
 */
static int block_map(l4_cap_idx_t sigma0, l4_fpage_t window, l4_addr_t *base, unsigned sz)
{
    l4_umword_t size = 1UL << sz, position = 0;
    l4_utcb_t *u = l4_utcb();
    long err;

    u->msg.mr[0] = SIGMA0_RAM_TAKE;
    u->msg.mr[SIGMA0_TAKE_SIZE] = size;
    u->msg.mr[SIGMA0_TAKE_FLAGS] = SIGMA0_RAM_CONTIGUOUS | sz << 8;
    u->msg.mr[SIGMA0_TAKE_MIN] = u->msg.mr[SIGMA0_TAKE_MAX] = u->msg.mr[SIGMA0_TAKE_PLACE] = 0;
    err = l4_error(l4_ipc_call(sigma0, u, l4_msgtag(L4RE_PROTO_MEM_ALLOC, SIGMA0_TAKE_WORDS, 0, 0),
                               L4_IPC_NEVER));
    if (err < 0)
        return -L4SIGMA0_NOFPAGE;
    *base = u->msg.mr[SIGMA0_TAKEN_BLOCK];
    while (err == SIGMA0_RAM_MORE) {
        u->msg.mr[0] = SIGMA0_RAM_MAP;
        u->msg.mr[1] = u->msg.mr[4] = *base;
        u->msg.mr[2] = size;
        u->msg.mr[3] = position;
        u->buf.bdr = 0;
        u->buf.br[0] = L4_ITEM_MAP;
        u->buf.br[1] = window.raw;
        err = l4_error(l4_ipc_call(sigma0, u, l4_msgtag(L4RE_PROTO_MEM_ALLOC, 5, 0, 0),
                                   L4_IPC_NEVER));
        position = u->msg.mr[0];
    }
    return err < 0 ? -L4SIGMA0_IPCERROR : 0;
}

int l4sigma0_map_anypage(l4_cap_idx_t sigma0, l4_addr_t map_area, unsigned log2_map_size,
                         l4_addr_t *base, unsigned sz)
{
    int err = request(sigma0, SIGMA0_REQ_FPAGE_ANY, l4_fpage(0, sz, L4_FPAGE_RWX),
                      l4_fpage(map_area, log2_map_size, L4_FPAGE_RWX));

    /* The answer has no words, so its item is at MR0; its send base is the physical address. */
    if (err == 0)
        *base = l4_utcb()->msg.mr[0] & L4_PAGEMASK;
    else if (err == -L4SIGMA0_NOFPAGE && sz >= ORDER_DIRECT && sz < L4_WHOLE_ADDRESS_SPACE)
        err = block_map(sigma0, l4_fpage(map_area, log2_map_size, L4_FPAGE_RWX), base, sz);
    return err;
}

l4_kernel_info_t *l4sigma0_map_kip(l4_cap_idx_t sigma0, void *addr, unsigned log2_size)
{
    l4_addr_t window = (l4_addr_t)addr & (~0UL << log2_size);
    l4_addr_t base;

    if (request(sigma0, SIGMA0_REQ_KIP, l4_fpage_invalid(),
                l4_fpage(window, log2_size, L4_FPAGE_RX)) != 0)
        return NULL;
    /* In a larger window the page lies at its send base, by the window rule. */
    base = l4_utcb()->msg.mr[0] & L4_PAGEMASK & ~(~0UL << log2_size);
    return (l4_kernel_info_t *)(window + base);
}

void l4sigma0_debug_dump(l4_cap_idx_t sigma0)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = SIGMA0_REQ_DEBUG_DUMP;
    l4_ipc_call(sigma0, u, l4_msgtag(L4_PROTO_SIGMA0, 1, 0, 0), L4_IPC_NEVER);
}

char const *l4sigma0_map_errstr(int err)
{
    switch (-err) {
    case L4SIGMA0_OK:
        return "success";
    case L4SIGMA0_NOTALIGNED:
        return "address or size is no multiple of a page";
    case L4SIGMA0_IPCERROR:
        return "IPC error";
    case L4SIGMA0_NOFPAGE:
        return "sigma0 gave nothing";
    case L4SIGMA0_SMALLERFPAGE:
        return "sigma0 gave a smaller page than asked for";
    default:
        return "unknown error";
    }
}
