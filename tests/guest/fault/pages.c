/*
 * fault/pages.c - page-fault messages, word by word, and their answers
 */
#include "seen.h"

/* Instructions with known addresses: rdi is the place, the value read comes back. */
extern char at_read[], at_write[], at_write_byte[];
l4_umword_t do_read(l4_addr_t address);
void do_write(l4_addr_t address);
void do_write_byte(l4_addr_t address);
__asm__(".globl do_read, do_write, do_write_byte, at_read, at_write, at_write_byte\n"
        "do_read:\n"
        "at_read: mov (%rdi), %rax\n"
        "    ret\n"
        "do_write:\n"
        "at_write: mov %rdi, (%rdi)\n"
        "    ret\n"
        "do_write_byte:\n"
        "at_write_byte: movb $1, (%rdi)\n"
        "    ret\n");

static volatile l4_umword_t value;

static void reader(void *address)
{
    value = do_read((l4_addr_t)address);
}

static void writer(void *address)
{
    do_write((l4_addr_t)address);
}

static void byte_writer(void *address)
{
    do_write_byte((l4_addr_t)address);
}

static void jumper(void *address)
{
    ((void (*)(void))address)();
}

static struct seen fault_of(struct child *c, void (*access)(void *), l4_addr_t address)
{
    child_run(c, access, (void *)address);
    expect(!c->finished);
    return seen_fault();
}

static void words(void)
{
    static const l4_addr_t places[] = {PLACE, PLACE + 1, PLACE + 7, PLACE + 8, PLACE + 0x123,
                                       PLACE + 0xfff, 0x7fffffffe008, 8, 0xfff8, 0x1000000000};
    struct child *c = watched_child();

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        l4_addr_t base = places[i] & ~7UL;
        struct seen s = fault_of(c, reader, places[i]);

        expect_eq(s.mr[0], base);
        expect_eq(s.mr[1], (l4_umword_t)at_read);
        s = fault_of(c, byte_writer, places[i]);
        expect_eq(s.mr[0], base | L4_PF_WRITE);
        expect_eq(s.mr[1], (l4_umword_t)at_write_byte);
        s = fault_of(c, jumper, places[i]);
        expect_eq(s.mr[0], base | L4_PF_FETCH);
        expect_eq(s.mr[1], places[i]);
    }
    expect_eq(counter(c->task, L4_DBG_CNT_PAGE_FAULTS), 30);
}

static void words_when_present(void)
{
    struct child *c = watched_child();
    struct seen s;

    l4_task_map(c->task, L4_BASE_TASK_CAP, l4_fpage(page_of(0, 1), 12, L4_FPAGE_R), PLACE);
    s = fault_of(c, writer, PLACE + 16);
    expect_eq(s.mr[0], (PLACE + 16) | L4_PF_WRITE | L4_PF_PRESENT);
    s = fault_of(c, jumper, PLACE + 16);
    expect_eq(s.mr[0], (PLACE + 16) | L4_PF_FETCH | L4_PF_PRESENT);
}

static void answered_with_page(void)
{
    struct child *c = watched_child();

    value = 0;
    fault_of(c, reader, PLACE + 0);
    answer_page(page_of(0, 0x1234567), PLACE, L4_FPAGE_R);
    expect(c->finished);
    expect_eq(value, 0x1234567);
    /* Now it is there for reading, and for nothing else. */
    child_run(c, reader, (void *)PLACE);
    expect(c->finished);
    fault_of(c, writer, PLACE + 8);
    answer_page(page_of(0, 5), PLACE, L4_FPAGE_RW);
    expect(c->finished);
    expect_eq(((l4_umword_t *)page_of(1, 0))[1], 0);
}

/* The pager may have put the page there by other means. */
static void answered_without_page(void)
{
    struct child *c = watched_child();

    fault_of(c, reader, PLACE);
    l4_task_map(c->task, L4_BASE_TASK_CAP, l4_fpage(page_of(0, 77), 12, L4_FPAGE_R), PLACE);
    answer_label(0);
    expect(c->finished);
    expect_eq(value, 77);
}

/* An answer that helps nothing: the thread faults again, as often as that happens. */
static void answered_with_nothing(void)
{
    struct child *c = watched_child();
    struct seen s = fault_of(c, reader, PLACE);

    for (unsigned i = 0; i < 20; i++) {
        answer_label(i);
        s = seen_fault();
        expect_eq(s.mr[0], PLACE);
        expect_eq(s.mr[1], (l4_umword_t)at_read);
    }
    answer_page(page_of(0, 3), PLACE, L4_FPAGE_R);
    expect(c->finished);
}

/* 63 words, or items for the wrong place: the thread's registers and UTCB do not care. */
static void answered_with_garbage(void)
{
    struct child *c = watched_child();
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag;

    fault_of(c, reader, PLACE);
    memset(u->msg.mr, 0xa5, sizeof(u->msg.mr));
    tag = l4_ipc_reply(L4_INVALID_CAP, u, l4_msgtag(0x7fff, 63, 0, 0), L4_IPC_NEVER);
    expect_eq(l4_ipc_error(tag, u), 0);
    expect_eq(seen_fault().mr[0], PLACE);
    answer_page(page_of(0, 1), PLACE + 0x5000, L4_FPAGE_R);
    expect_eq(seen_fault().mr[0], PLACE);
    answer_page(page_of(0, 1), PLACE, 0);
    expect_eq(seen_fault().mr[0], PLACE);
    answer_page(page_of(0, 9), PLACE, L4_FPAGE_R);
    expect(c->finished);
    expect_eq(value, 9);
}

/* The window of a fault is everything: a page where it does not belong, a capability. */
static void window_is_everything(void)
{
    struct child *c = watched_child();
    l4_utcb_t *u = l4_utcb();

    fault_of(c, reader, PLACE);
    u->msg.mr[0] = l4_map_control(PLACE, 0, 0) | L4_ITEM_CONT;
    u->msg.mr[1] = l4_fpage(page_of(0, 4), 12, L4_FPAGE_R).raw;
    u->msg.mr[2] = l4_map_control(PLACE + 0x8000, 0, 0);
    u->msg.mr[3] = l4_fpage(page_of(1, 5), 12, L4_FPAGE_R).raw;
    u->msg.mr[4] = l4_map_obj_control(CHILD_CAP(30), 0);
    u->msg.mr[5] = l4_obj_fpage(L4_BASE_LOG_CAP, 0, L4_CAP_FPAGE_RW).raw;
    expect_eq(l4_ipc_error(l4_ipc_reply(L4_INVALID_CAP, u, l4_msgtag(0, 0, 3, 0), L4_IPC_NEVER),
                           u), 0);
    expect(c->finished);
    expect_eq(value, 4);
    child_run(c, reader, (void *)(PLACE + 0x8000));
    expect(c->finished);
    expect_eq(value, 5);
    expect_eq(l4_error(l4_task_cap_valid(c->task, CHILD_CAP(30))), 1);
}

/* ---- the faulter's UTCB ---- */

static l4_umword_t copy_before[L4_UTCB_OFFSET / 8], copy_after[L4_UTCB_OFFSET / 8];

static void fault_between_words(void *address)
{
    l4_umword_t *u = (l4_umword_t *)l4_utcb();

    for (unsigned i = 0; i < L4_UTCB_OFFSET / 8; i++)
        if (i != L4_UTCB_SELF_WORD && i != L4_UTCB_TCR_WORD + 1)
            u[i] = WORD(3, i);
    memcpy(copy_before, u, sizeof(copy_before));
    do_read((l4_addr_t)address);
    memcpy(copy_after, u, sizeof(copy_after));
}

static void utcb_untouched(void)
{
    struct child *c = watched_child();
    l4_umword_t wrong = 0;

    fault_of(c, fault_between_words, PLACE);
    memset(l4_utcb()->msg.mr, 0x77, sizeof(l4_utcb()->msg.mr));
    answer_page(page_of(0, 1), PLACE, L4_FPAGE_R);
    expect(c->finished);
    for (unsigned i = 0; i < L4_UTCB_OFFSET / 8; i++)
        wrong += copy_after[i] != copy_before[i];
    expect_eq(wrong, 0);
    expect_eq(copy_after[0], WORD(3, 0));
}

/* ---- places ---- */

static void kernel_addresses(void)
{
    static const l4_addr_t places[] = {0xffffffff80100000, 0xffffffff80000000, 0xffffffffffffffff,
                                       0xffff800000000000, 0xffffffff90000000, L4_USER_END};
    struct child *c = watched_child();

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        l4_addr_t base = places[i] & ~7UL;
        struct seen s = fault_of(c, byte_writer, places[i]);

        expect_eq(s.mr[0] & ~(l4_umword_t)L4_PF_PRESENT, base | L4_PF_WRITE);
        expect_eq(s.mr[1], (l4_umword_t)at_write_byte);
        s = fault_of(c, jumper, places[i]);
        expect_eq(s.mr[0] & ~(l4_umword_t)L4_PF_PRESENT, base | L4_PF_FETCH);
    }
    /* A page offered for such a place does not get there. */
    fault_of(c, reader, 0xffffffff90000000);
    answer_page(page_of(0, 1), 0xffffffff90000000, L4_FPAGE_R);
    expect_eq(seen_fault().mr[0] & ~7UL, 0xffffffff90000000);
}

static void recurse(void *depth)
{
    char room[256];

    memset(room, (int)(l4_umword_t)depth, sizeof(room));
    if (depth != room)
        recurse(room + room[0]);
    *(volatile char *)room = 1; /* not a tail call */
}

static void call_on_own_stack(void *arg)
{
    (void)arg;
    /* A stack of one page at PLACE, nothing below it. */
    __asm__ volatile("mov %0, %%rsp\n"
                     "xor %%edi, %%edi\n"
                     "call *%1" : : "r"(PLACE + L4_PAGESIZE), "r"(recurse) : "memory");
}

static void stack_overflow(void)
{
    struct child *c = watched_child();
    struct seen s;

    l4_task_map(c->task, L4_BASE_TASK_CAP, l4_fpage(page_of(0, 0), 12, L4_FPAGE_RW), PLACE);
    s = fault_of(c, call_on_own_stack, 0);
    expect_eq(s.mr[0] & 7, L4_PF_WRITE);
    expect(s.mr[0] < PLACE && s.mr[0] >= PLACE - 512);
    answer_label(-1);
    s = seen_exception();
    expect(s.regs.sp < PLACE + 256);
}

static void null_pointers(void)
{
    struct child *c = watched_child();

    expect_eq(fault_of(c, reader, 0).mr[0], 0);
    expect_eq(fault_of(c, writer, 0).mr[0], L4_PF_WRITE);
    struct seen s = fault_of(c, jumper, 0);
    expect_eq(s.mr[0], L4_PF_FETCH);
    expect_eq(s.mr[1], 0);
}

/* One access, two pages: two faults, then it goes on. */
static void across_two_pages(void)
{
    struct child *c = watched_child();
    struct seen s = fault_of(c, reader, PLACE + 0xffc);

    answer_page(page_of(0, 0), (s.mr[0] & ~0xfffUL), L4_FPAGE_R);
    s = seen_fault();
    answer_page(page_of(1, 0), (s.mr[0] & ~0xfffUL), L4_FPAGE_R);
    expect(c->finished);
}

const struct test pages_tests[] = {
    {"a page fault message tells address, access and instruction, in two words", words},
    {"it tells that a page is present but does not allow the access", words_when_present},
    {"an answer with a page lets the thread go on", answered_with_page},
    {"so does an answer without, when the page is there", answered_without_page},
    {"an answer that helps nothing is asked for again", answered_with_nothing},
    {"garbage in an answer harms nobody", answered_with_garbage},
    {"the window of a fault is everything", window_is_everything},
    {"the UTCB of the faulting thread stays as it is", utcb_untouched},
    {"the kernel's addresses fault like any other, and nothing can be mapped there",
     kernel_addresses},
    {"a stack that overflows into a guard page faults there", stack_overflow},
    {"null pointers fault at address 0", null_pointers},
    {"an access across two pages faults twice", across_two_pages},
    {NULL, NULL},
};
