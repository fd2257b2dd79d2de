/*
 * ioports/ports.c - getting, passing and trying ports
 */
#include "ports.h"

extern char port_read[];
__asm__(".globl port_read\n"
        "port_read:\n" /* edi port: rax value; rdx 1 = refused. The handler (probe.c of the */
        "    mov %edi, %edx\n" /* harness) takes rdi == rip for a refused access. */
        "    lea 1f(%rip), %rdi\n"
        "    mov %rsp, %r10\n"
        "    xor %eax, %eax\n"
        "1:  in %dx, %al\n"
        "    xor %edx, %edx\n"
        "    ret\n");

struct outcome {
    l4_umword_t value, refused;
};
typedef struct outcome (*port_read_fn)(unsigned port);

struct attempt {
    const unsigned short *ports;
    unsigned n;
    bool *held;
};

static void try_all(void *arg)
{
    struct attempt *a = arg;

    for (unsigned i = 0; i < a->n; i++)
        a->held[i] = !((port_read_fn)port_read)(a->ports[i]).refused;
}

void ports_try(struct child *c, const unsigned short *ports, unsigned n, bool *held)
{
    static struct attempt a;

    a = (struct attempt){ports, n, held};
    child_run(c, try_all, &a);
    expect(c->finished);
}

bool holds(struct child *c, unsigned port)
{
    static unsigned short p;
    static bool held;

    p = (unsigned short)port;
    ports_try(c, &p, 1, &held);
    return held;
}

long ports_ask(l4_cap_idx_t sigma0, l4_fpage_t fp)
{
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag;

    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = l4_iofpage(0, WHOLE).raw;
    u->msg.mr[0] = fp.raw;
    tag = l4_ipc_call(sigma0, u, l4_msgtag(L4_PROTO_IO_PAGE_FAULT, 1, 0, 0), L4_IPC_NEVER);
    u->buf.br[0] = 0;
    return l4_error(tag);
}

void ports_get(void)
{
    expect_eq(ports_ask(L4_BASE_PAGER_CAP, l4_iofpage(0, WHOLE)), 0);
}

void ports_back(void)
{
    port_unmap(L4_BASE_TASK_CAP, 0, WHOLE, L4_FP_ALL_SPACES);
}

long port_map_with(l4_cap_idx_t to, l4_cap_idx_t from, l4_fpage_t fp, unsigned grant)
{
    return l4_error(l4_task_map(to, from, fp, l4_map_control(0, 0, (unsigned char)grant)));
}

long port_map(l4_cap_idx_t to, l4_cap_idx_t from, unsigned port, unsigned order)
{
    return port_map_with(to, from, l4_iofpage(port, order), 0);
}

void port_unmap(l4_cap_idx_t task, unsigned port, unsigned order, l4_umword_t mask)
{
    expect_eq(l4_error(l4_task_unmap(task, l4_iofpage(port, order), mask)), 0);
}

l4_umword_t used(void)
{
    return counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED);
}
