/*
 * cover.c - a QEMU plugin: which instructions of the kernel were executed at all
 *
 *     -plugin file=cover.so,out=path            after the boot, an address a line
 *     -plugin file=cover.so,out=path,blocks=on  from the first instruction, sigma0 and the root
 *                                               task, too: a block a line (V3)
 *
 * In no order; addresses are hexadecimal. What was executed before the first instruction of sigma0
 * (the boot) is left out of the first form. The unmodified kernel is looked at: nothing is compiled
 * in, and a run costs little more than without.
 *
 * V1  One virtual processor; QEMU calls in one thread.
 * V2  A block counts as a whole when it is entered: the rest of one that faulted in the middle is
 *     counted, too. In the kernel a fault is a panic.
 * V3  Line: address, bytes, FNV-1a hash of these bytes, and for a conditional jump at its end
 *     1 fell through + 2 jumped. Programs lie at equal addresses: the hash tells whose block it is.
 *     A jump behind which an interrupt came at once is not seen: better too little than too much.
 */
#include "qemu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HASH = 1 << 14 };
#define KERNEL_HALF 0xffff800000000000UL
#define USER_FIRST 0x300000UL /* sigma0; the firmware is done when the kernel's half is used */
#define IMAGES 0x100000UL     /* first the kernel, executed there until it has page tables */
#define IMAGES_END 0x800000UL /* sigma0 and the root task end before */

/* The instructions of a block that has been translated. */
struct block {
    struct block *next;
    size_t count;
    uint64_t end, hash;
    uint64_t target; /* of the conditional jump at its end, or 0 */
    bool executed, fell, jumped;
    uint64_t address[];
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct block *blocks[HASH];
static struct block *last; /* the one before */
static bool kernel_reached, user_reached, whole;
static FILE *out;

static void executed(unsigned cpu, void *block)
{
    struct block *b = block;

    (void)cpu;
    kernel_reached = true;
    b->executed |= user_reached || whole;
    if (last && last->target) {
        last->fell |= b->address[0] == last->end;
        last->jumped |= b->address[0] == last->target;
    }
    last = b;
}

static void user_executed(unsigned cpu, void *unused)
{
    (void)cpu;
    (void)unused;
    user_reached = kernel_reached;
}

/* Where the instruction jumps to if it is a conditional jump, else 0. */
static uint64_t jump_target(const struct qemu_plugin_insn *insn)
{
    const unsigned char *p = qemu_plugin_insn_data(insn);
    size_t size = qemu_plugin_insn_size(insn);
    uint64_t end = qemu_plugin_insn_vaddr(insn) + size;
    int32_t far;

    if (size == 2 && p[0] >> 4 == 7)
        return end + (uint64_t)(int64_t)(signed char)p[1];
    if (size != 6 || p[0] != 0x0f || p[1] >> 4 != 8)
        return 0;
    memcpy(&far, p + 2, sizeof(far));
    return end + (uint64_t)(int64_t)far;
}

static uint64_t hash_of(const struct qemu_plugin_tb *tb)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const unsigned char *p = qemu_plugin_insn_data(insn);

        for (size_t k = 0; k < qemu_plugin_insn_size(insn); k++)
            hash = (hash ^ p[k]) * 0x100000001b3;
    }
    return hash;
}

/* The record of a block; translated again, it keeps what is known. */
static struct block *block_of(const struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);
    const struct qemu_plugin_insn *end = qemu_plugin_tb_get_insn(tb, n - 1);
    uint64_t first = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0)), hash = hash_of(tb);
    struct block **head = &blocks[(first ^ first >> 14) % HASH], *b = *head;

    while (b && (b->address[0] != first || b->count != n || b->hash != hash))
        b = b->next;
    if (b)
        return b;
    b = calloc(1, sizeof(*b) + n * sizeof(b->address[0]));
    if (!b)
        abort();
    b->count = n;
    b->hash = hash;
    b->end = qemu_plugin_insn_vaddr(end) + qemu_plugin_insn_size(end);
    b->target = jump_target(end);
    for (size_t i = 0; i < n; i++)
        b->address[i] = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i));
    b->next = *head;
    *head = b;
    return b;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    uint64_t first = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));

    (void)id;
    if (first >= KERNEL_HALF || (whole && first >= IMAGES && first < IMAGES_END))
        qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, block_of(tb));
    else if (!user_reached && first >= USER_FIRST)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, user_executed, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void print_block(const struct block *b)
{
    if (whole && b->executed)
        fprintf(out, "%lx %lu %lx %d\n", b->address[0], b->end - b->address[0], b->hash,
                b->fell + 2 * b->jumped);
    for (size_t k = 0; !whole && b->executed && k < b->count; k++)
        fprintf(out, "%lx\n", b->address[k]);
}

static void ended(qemu_plugin_id_t id, void *unused)
{
    (void)id;
    (void)unused;
    for (unsigned i = 0; i < HASH; i++)
        for (const struct block *b = blocks[i]; b; b = b->next)
            print_block(b);
    fclose(out);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    (void)info;
    whole = argc == 2 && strcmp(argv[1], "blocks=on") == 0;
    if (argc != 1 + whole || strncmp(argv[0], "out=", 4) != 0) {
        qemu_plugin_outs("cover: arguments are out=path, and blocks=on perhaps\n");
        return -1;
    }
    out = fopen(argv[0] + 4, "w");
    if (!out) {
        qemu_plugin_outs("cover: the output file cannot be written\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
