/*
 * ioports/faults.c - in and out without permission: the message, its answer, what is none
 *
 * Here the test itself is the pager and the exception handler of the child.
 */
#include "ports.h"

#include <abi/sigma0.h>
#include <l4/sigma0/sigma0.h>

enum { FAULT_LABEL = 0x700, TRAP_GP = 13, DX_PORT = 0x84, LAST = 0xffff };

/* Each form: edi port, rsi buffer. Its own symbol is the instruction's address. */
#define FORM(name, text)                                                                           \
    extern char form_##name[], at_##name[];                                                        \
    __asm__("form_" #name ":\n mov %edi, %edx\n mov %rsi, %rdi\n mov $1, %ecx\n"                   \
            "at_" #name ": " text "\n ret\n")

FORM(inb, "in %dx, %al");
FORM(inw, "in %dx, %ax");
FORM(inl, "in %dx, %eax");
FORM(outb, "out %al, %dx");
FORM(outw, "out %ax, %dx");
FORM(outl, "out %eax, %dx");
FORM(inb_i, "in $0x84, %al");
FORM(inw_i, "in $0x84, %ax");
FORM(inl_i, "in $0x84, %eax");
FORM(outb_i, "out %al, $0x84");
FORM(outw_i, "out %ax, $0x84");
FORM(outl_i, "out %eax, $0x84");
FORM(insb, "insb");
FORM(insw, "rep insw");
FORM(insl, "rep insl");
FORM(outsb, "rep outsb");
FORM(outsw, "outsw");
FORM(outsl, "rep outsl");
FORM(prefixed, ".byte 0x3e, 0x67, 0xf2, 0x66, 0x6d"); /* repne insw, address size, segment */
FORM(rex, ".byte 0x40, 0xec");
FORM(cli, "cli");
FORM(hlt, "hlt");
FORM(int_gate, "int $0x30");

static const struct form {
    char *run, *at;
    unsigned order;
} forms[] = {
    {form_inb, at_inb, 0},       {form_inw, at_inw, 1},       {form_inl, at_inl, 2},
    {form_outb, at_outb, 0},     {form_outw, at_outw, 1},     {form_outl, at_outl, 2},
    {form_inb_i, at_inb_i, 0},   {form_inw_i, at_inw_i, 1},   {form_inl_i, at_inl_i, 2},
    {form_outb_i, at_outb_i, 0}, {form_outw_i, at_outw_i, 1}, {form_outl_i, at_outl_i, 2},
    {form_insb, at_insb, 0},     {form_insw, at_insw, 1},     {form_insl, at_insl, 2},
    {form_outsb, at_outsb, 0},   {form_outsw, at_outsw, 1},   {form_outsl, at_outsl, 2},
    {form_rex, at_rex, 0},       {form_prefixed, at_prefixed, 1},
};

static struct call {
    void *run;
    unsigned port;
    char buffer[16];
    l4_umword_t value;
} call;

static void do_call(void *arg)
{
    struct call *c = arg;
    l4_umword_t (*run)(unsigned, void *) = (l4_umword_t(*)(unsigned, void *))c->run;

    c->value = run(c->port, c->buffer);
}

static struct child *watched(void)
{
    struct child *c = child_new();
    l4_cap_idx_t gate = gate_new(L4_BASE_THREAD_CAP, FAULT_LABEL);

    give(c, gate, CHILD_CAP(0), L4_CAP_FPAGE_RO);
    expect_eq(child_handlers(c, CHILD_CAP(0), CHILD_CAP(0)), 0);
    return c;
}

static void start(struct child *c, void *run, unsigned port)
{
    call = (struct call){.run = run, .port = port};
    child_run(c, do_call, &call);
}

/* The next message of the child, ~0: none. Its words are in the UTCB. */
static long next_label(void)
{
    l4_umword_t label = 0;
    l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_BOTH_TIMEOUT_0);

    if (l4_msgtag_has_error(tag))
        return 0;
    expect_eq(label, FAULT_LABEL);
    expect_eq(l4_msgtag_words(tag),
              l4_msgtag_label(tag) == L4_PROTO_EXCEPTION ? L4_UTCB_EXCEPTION_REGS_SIZE : 2);
    expect_eq(l4_msgtag_items(tag), 0);
    return l4_msgtag_label(tag);
}

/* With an item; the send base is of no importance for ports. */
static void answer_with(l4_fpage_t fp)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;

    u->msg.mr[0] = L4_ITEM_MAP;
    u->msg.mr[1] = fp.raw;
    l4_ipc(L4_INVALID_CAP, u, L4_SYSF_SEND | L4_SYSF_REPLY, 0, l4_msgtag(0, 0, 1, 0), &label,
           L4_IPC_SEND_TIMEOUT_0);
}

static void answer(long with)
{
    l4_umword_t label;

    l4_ipc(L4_INVALID_CAP, l4_utcb(), L4_SYSF_SEND | L4_SYSF_REPLY, 0, l4_msgtag(with, 0, 0, 0),
           &label, L4_IPC_SEND_TIMEOUT_0);
}

static void every_form(void)
{
    struct child *c = watched();

    ports_get();
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const struct form *f = &forms[i];

        start(c, f->run, DX_PORT);
        expect_eq(next_label(), L4_PROTO_IO_PAGE_FAULT);
        expect_eq(l4_utcb_mr()->mr[0], l4_iofpage(DX_PORT, f->order).raw);
        expect_eq(l4_utcb_mr()->mr[1], f->at);
        answer_with(l4_iofpage(DX_PORT, f->order));
        if (!expect(c->finished))
            printf("# form %u\n", i);
        start(c, f->run, DX_PORT); /* held now */
        expect(c->finished && next_label() == 0);
        port_unmap(c->task, DX_PORT, 2, L4_FP_ALL_SPACES);
    }
    ports_back();
}

static void the_instruction_is_repeated(void)
{
    struct child *c = watched();

    ports_get();
    __asm__ volatile("outb %0, %1" : : "a"((char)0x5a), "d"((short)PORT));
    start(c, form_inb, PORT);
    expect_eq(next_label(), L4_PROTO_IO_PAGE_FAULT);
    answer(0); /* without an item: the same again */
    expect_eq(next_label(), L4_PROTO_IO_PAGE_FAULT);
    answer_with(l4_iofpage(PORT + 1, 0)); /* the wrong port: the same again */
    expect_eq(next_label(), L4_PROTO_IO_PAGE_FAULT);
    answer_with(l4_fpage_set_rights(l4_iofpage(PORT, 0), L4_FPAGE_RO)); /* not enough rights */
    expect_eq(next_label(), L4_PROTO_IO_PAGE_FAULT);
    answer_with(l4_iofpage(0, WHOLE));
    expect(c->finished);
    expect_eq(call.value & 0xff, 0x5a);
    ports_back();
}

/* No flexpage covers four ports from 0x81 on: they are asked for one by one. */
static void across_alignment(void)
{
    struct child *c = watched();

    ports_get();
    port_map(c->task, L4_BASE_TASK_CAP, PORT + 2, 0);
    start(c, form_inl, PORT);
    for (unsigned i = 0; i < 4; i++) {
        if (i == 2)
            continue;
        expect_eq(next_label(), L4_PROTO_IO_PAGE_FAULT);
        expect_eq(l4_utcb_mr()->mr[0], l4_iofpage(PORT + i, 0).raw);
        answer_with(l4_iofpage(PORT + i, 0));
    }
    expect(c->finished);
    ports_back();
}

static void expect_exception(struct child *c, void *run, unsigned port, const char *at,
                             bool zero_error)
{
    l4_exc_regs_t *x = l4_utcb_exc();

    start(c, run, port);
    expect_eq(next_label(), L4_PROTO_EXCEPTION);
    expect_eq(x->trapno, TRAP_GP);
    expect_eq(x->err == 0, zero_error);
    expect_eq(x->ip, at);
    answer(-L4_EFAULT); /* it stops there */
}

static void what_is_no_port_fault(void)
{
    struct child *c = watched();

    expect_exception(c, form_cli, 0, at_cli, true);
    c = watched();
    expect_exception(c, form_hlt, 0, at_hlt, true);
    c = watched();
    expect_exception(c, form_int_gate, 0, at_int_gate, false);
    c = watched();
    expect_exception(c, form_inl, LAST - 2, at_inl, true); /* beyond the last port */
    c = watched();
    expect_exception(c, form_outw, LAST, at_outw, true);
}

static void the_last_port(void)
{
    struct child *c = watched();

    ports_get();
    start(c, form_inb, LAST);
    expect_eq(next_label(), L4_PROTO_IO_PAGE_FAULT);
    expect_eq(l4_utcb_mr()->mr[0], l4_iofpage(LAST, 0).raw);
    answer_with(l4_iofpage(LAST, 0));
    expect(c->finished);
    start(c, form_inw, LAST - 1);
    expect_eq(next_label(), L4_PROTO_IO_PAGE_FAULT);
    answer_with(l4_iofpage(LAST - 1, 1));
    expect(c->finished);
    ports_back();
}

static void a_refused_fault_is_an_exception(void)
{
    struct child *c = watched();

    start(c, form_inb, PORT);
    expect_eq(next_label(), L4_PROTO_IO_PAGE_FAULT);
    answer(-L4_EPERM);
    expect_eq(next_label(), L4_PROTO_EXCEPTION);
    expect_eq(l4_utcb_exc()->trapno, TRAP_GP);
    expect_eq(l4_utcb_exc()->err, 0);
    expect_eq(l4_utcb_exc()->ip, at_inb);
    l4_utcb_exc()->ip += 1; /* behind the instruction, with a value of the handler's */
    l4_utcb_exc()->rax = 77;
    l4_ipc(L4_INVALID_CAP, l4_utcb(), L4_SYSF_SEND | L4_SYSF_REPLY, 0,
           l4_msgtag(0, L4_UTCB_EXCEPTION_REGS_SIZE, 0, 0), &(l4_umword_t){0},
           L4_IPC_SEND_TIMEOUT_0);
    expect(c->finished);
    expect_eq(call.value, 77);
    expect_eq(child_handlers(c, CHILD_CAP(5), CHILD_CAP(0)), 0); /* no pager at all */
    start(c, form_inb, PORT);
    expect_eq(next_label(), L4_PROTO_EXCEPTION);
    answer(-L4_EFAULT);
}

static void sigma0_gives_to_the_root_task(void)
{
    l4_cap_idx_t s0 = L4_BASE_PAGER_CAP, account = slot_new();
    l4_utcb_t *u = l4_utcb();
    l4_umword_t before = used();
    l4_msgtag_t tag;

    expect_eq(ports_ask(s0, l4_fpage(0x1000, 12, L4_FPAGE_RW)), -L4_EINVAL);
    expect_eq(ports_ask(s0, l4_iofpage(0, WHOLE + 1)), -L4_EINVAL);
    expect_eq(ports_ask(s0, l4_iofpage(0x10000, 0)), -L4_EINVAL);
    expect_eq(ports_ask(s0, l4_iofpage(PORT, 0)), 0);
    expect_eq(ports_ask(s0, l4_iofpage(PORT, 0)), 0); /* again */
    expect(used() > before);
    ports_back();
    expect_eq(used(), before);
    expect_eq(ports_ask(s0, l4_iofpage(0, WHOLE)), 0);
    expect(used() - before < 32 * 1024); /* all 65536 of them */
    ports_back();
    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = l4_iofpage(0, WHOLE).raw;
    u->msg.mr[0] = (l4_umword_t)(long)SIGMA0_REQ_MAGIC | SIGMA0_REQ_ID_FPAGE_IOMEM;
    u->msg.mr[1] = l4_iofpage(PORT, 0).raw;
    tag = l4_ipc_call(s0, u, l4_msgtag(L4_PROTO_SIGMA0, 2, 0, 0), L4_IPC_NEVER);
    expect_eq(l4_error(tag), 0);
    expect_eq(l4_msgtag_items(tag), 1);
    expect_eq(u->msg.mr[0] & L4_ITEM_RET_MASK, L4_ITEM_RET_MAPPED);
    ports_back();
    tag = l4_factory_create_start_u(L4_PROTO_SIGMA0, account, u);
    l4_factory_create_add_uint_u(0, &tag, u);
    expect_eq(l4_error(l4_factory_create_commit_u(s0, tag, u)), 0);
    expect_eq(ports_ask(account, l4_iofpage(PORT, 0)), -L4_ENOMEM);
    u->msg.mr[0] = SIGMA0_RAM_RELEASE;
    l4_ipc_call(account, u, l4_msgtag(L4RE_PROTO_MEM_ALLOC, 1, 0, 0), L4_IPC_NEVER);
}

const struct test faults_tests[] = {
    {"every form of in and out asks for its ports", every_form},
    {"the instruction is repeated until the port is there", the_instruction_is_repeated},
    {"ports that no flexpage covers are asked for one by one", across_alignment},
    {"what the CPU refuses for other reasons is an exception", what_is_no_port_fault},
    {"the last port is a port", the_last_port},
    {"a refused fault becomes the exception it was", a_refused_fault_is_an_exception},
    {"sigma0 gives ports to the root task and to nobody else", sigma0_gives_to_the_root_task},
    {0},
};
