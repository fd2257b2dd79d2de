/*
 * universe.c - what a page of the specification stands for: memory, a capability, an I/O port
 */
#include "model.h"

enum { ROOTS = 8, SERVER_UTCB = 2, FIRST_SLOT = 64, FIRST_PORT = 0x200, LABEL = 0x1000 };
#define PLACE 0x100000000UL /* space i has its memory at (i + 1) times this */

static const l4_cap_idx_t server = 43UL << L4_CAP_SHIFT, first_gate = 44UL << L4_CAP_SHIFT;
static char server_stack[2048] __attribute__((aligned(16)));
static char small_frames[ROOTS * L4_PAGESIZE] __attribute__((aligned(ROOTS * 4096)));
static l4_addr_t super_frames;

unsigned universe_order(enum universe u)
{
    return u == SUPERPAGES ? L4_SUPERPAGESHIFT - 3 : u == PORTS ? 0 : L4_PAGESHIFT;
}

l4_addr_t universe_base(enum universe u, unsigned s)
{
    return u == SLOTS ? (l4_addr_t)FIRST_SLOT << L4_CAP_SHIFT
           : u == PORTS ? (l4_addr_t)FIRST_PORT : (s + 1) * PLACE;
}

l4_umword_t universe_fpage(enum universe u, unsigned s, unsigned page, unsigned size,
                           unsigned rights)
{
    l4_addr_t at = universe_base(u, s) + ((l4_addr_t)page << universe_order(u));

    if (u == SLOTS)
        return l4_obj_fpage(at, size, (unsigned char)rights).raw;
    if (u == PORTS)
        return __l4_fpage_generic(at << 12, L4_FPAGE_IO, size, rights).raw;
    return l4_fpage(at, universe_order(u) + size, (unsigned char)rights).raw;
}

l4_umword_t universe_item(enum universe u, unsigned to, unsigned page, bool grant)
{
    l4_addr_t at = u == PORTS ? 0 : universe_base(u, to) + ((l4_addr_t)page << universe_order(u));

    return l4_map_control(at, 0, grant ? L4_MAP_ITEM_GRANT : 0);
}

l4_umword_t universe_everything(enum universe u)
{
    unsigned type = u == SLOTS ? L4_FPAGE_OBJ : u == PORTS ? L4_FPAGE_IO : L4_FPAGE_MEMORY;

    return __l4_fpage_generic(0, type, L4_WHOLE_ADDRESS_SPACE, 0).raw;
}

/* A port is held or not, with both rights together. */
unsigned universe_map_rights(enum universe u, unsigned rights)
{
    return u != PORTS ? rights : (rights & L4_FPAGE_RW) == L4_FPAGE_RW ? SPEC_R : 0;
}

unsigned universe_unmap_rights(enum universe u, unsigned rights)
{
    return u != PORTS ? rights : (rights & L4_FPAGE_RW) ? SPEC_R : 0;
}

static l4_addr_t frames(enum universe u)
{
    return u == SUPERPAGES ? super_frames : (l4_addr_t)small_frames;
}

static l4_umword_t *frame_word(enum universe u, unsigned i)
{
    return (l4_umword_t *)(frames(u) + ((l4_addr_t)i << universe_order(u)));
}

/* Eight pages, one superpage, eight capabilities or ports, at the beginning of space 0. */
void universe_roots(enum universe u, struct child *first, struct spec *spec)
{
    l4_fpage_t from = l4_fpage(frames(u), universe_order(u) + 3, L4_FPAGE_RWX);

    for (unsigned i = 0; u <= SUPERPAGES && i < ROOTS; i++)
        *frame_word(u, i) = FRAME_WORD(i);
    for (unsigned i = 0; u == SLOTS && i < ROOTS; i++)
        expect_eq(give(first, first_gate + ((l4_cap_idx_t)i << L4_CAP_SHIFT),
                       universe_base(u, 0) + ((l4_cap_idx_t)i << L4_CAP_SHIFT),
                       L4_CAP_FPAGE_RWS), 0);
    if (u == PORTS)
        from.raw = universe_fpage(u, 0, 0, 3, L4_FPAGE_RW);
    if (u != SLOTS)
        expect_eq(l4_error(l4_task_map(first->task, L4_BASE_TASK_CAP, from,
                                       universe_item(u, 0, 0, false))), 0);
    memset(spec, 0, sizeof(*spec));
    for (unsigned i = 0; i < ROOTS; i++)
        spec_root(spec, 0, i, u == SUPERPAGES ? 2 : 1, i, u == PORTS ? SPEC_R : SPEC_RWX);
}

bool universe_unspoilt(enum universe u)
{
    for (unsigned i = 0; u <= SUPERPAGES && i < ROOTS; i++)
        if (*frame_word(u, i) != FRAME_WORD(i))
            return false;
    return true;
}

/* A new object, whose first capability goes to that slot. */
void universe_object(struct child *c, unsigned page, unsigned frame)
{
    l4_cap_idx_t gate = gate_new(server, LABEL + 16 * frame);

    expect_eq(l4_error(l4_task_map(c->task, L4_BASE_TASK_CAP,
                                   l4_obj_fpage(gate, 0, L4_CAP_FPAGE_RWS),
                                   universe_item(SLOTS, 0, page, true))), 0);
}

/* Tells every caller which gate he used, and with which rights. */
static void serve(void)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    for (;;) {
        u->msg.mr[0] = FRAME_WORD((label - LABEL) >> 4);
        u->msg.mr[1] = label & 3;
        tag = l4_msgtag_has_error(tag)
                  ? l4_ipc_wait(u, &label, L4_IPC_NEVER)
                  : l4_ipc_reply_and_wait(u, l4_msgtag(0, 2, 0, 0), &label, L4_IPC_SEND_TIMEOUT_0);
    }
}

/* The memory and the ports that all comes from, the gates and who is behind them. */
void universe_init(void)
{
    l4_utcb_t *u = l4_utcb();

    super_frames = memory_new(L4_SUPERPAGESHIFT);
    u->msg.mr[0] = universe_fpage(PORTS, 0, 0, 4, L4_FPAGE_RW);
    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = universe_everything(PORTS);
    expect_eq(l4_error(l4_ipc_call(L4_BASE_PAGER_CAP, u,
                                   l4_msgtag(L4_PROTO_IO_PAGE_FAULT, 1, 0, 0), L4_IPC_NEVER)), 0);
    u->buf.br[0] = 0;
    own_thread(server, SERVER_UTCB, serve, server_stack + sizeof(server_stack), PRIO_HANDLER);
    for (unsigned i = 0; i < ROOTS; i++)
        expect_eq(l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP,
                                                  first_gate + ((l4_cap_idx_t)i << L4_CAP_SHIFT),
                                                  server, LABEL + 16 * i)), 0);
}
