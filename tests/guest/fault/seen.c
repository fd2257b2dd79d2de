/*
 * fault/seen.c - the test as pager and exception handler of its children
 */
#include "seen.h"

static char pages[4][L4_PAGESIZE] __attribute__((aligned(4096)));

l4_addr_t page_of(unsigned i, l4_umword_t name)
{
    memset(pages[i], 0, L4_PAGESIZE);
    *(l4_umword_t *)pages[i] = name;
    return (l4_addr_t)pages[i];
}

struct child *watched_child(void)
{
    struct child *c = child_new();

    give(c, gate_new(L4_BASE_THREAD_CAP, FAULT_LABEL), CHILD_CAP(0), L4_CAP_FPAGE_RW);
    expect_eq(child_handlers(c, CHILD_CAP(0), CHILD_CAP(0)), 0);
    return c;
}

struct seen seen_next(void)
{
    struct seen s = {.any = false};
    l4_utcb_t *u = l4_utcb();

    s.tag = l4_ipc_wait(u, &s.label, l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(5000)));
    s.any = !l4_msgtag_has_error(s.tag);
    memcpy(s.mr, u->msg.mr, sizeof(s.mr));
    return s;
}

struct seen seen_fault(void)
{
    struct seen s = seen_next();

    if (expect(s.any)) {
        expect_eq(s.tag.raw, l4_msgtag(L4_PROTO_PAGE_FAULT, 2, 0, 0).raw);
        expect_eq(s.label, FAULT_LABEL | L4_CAP_FPAGE_W);
    }
    return s;
}

struct seen seen_exception(void)
{
    struct seen s = seen_next();

    if (expect(s.any)) {
        expect_eq(s.tag.raw, l4_msgtag(L4_PROTO_EXCEPTION, 26, 0, 0).raw);
        expect_eq(s.label, FAULT_LABEL | L4_CAP_FPAGE_W);
    }
    return s;
}

static void answer(l4_msgtag_t tag)
{
    tag = l4_ipc_reply(L4_INVALID_CAP, l4_utcb(), tag, L4_IPC_SEND_TIMEOUT_0);
    expect_eq(l4_ipc_error(tag, l4_utcb()), 0);
}

void answer_page(l4_addr_t source, l4_addr_t address, unsigned rights)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = l4_map_control(address, 0, 0);
    u->msg.mr[1] = l4_fpage(source, L4_PAGESHIFT, (unsigned char)rights).raw;
    answer(l4_msgtag(0, 0, 1, 0));
}

void answer_label(long label)
{
    answer(l4_msgtag(label, 0, 0, 0));
}

void answer_regs(const l4_exc_regs_t *regs)
{
    memcpy(l4_utcb()->msg.mr, regs, sizeof(*regs));
    answer(l4_msgtag(0, L4_UTCB_EXCEPTION_REGS_SIZE, 0, 0));
}
