/*
 * cover.c - a QEMU plugin: which instructions of the kernel were executed at all
 *
 *     -plugin file=cover.so,out=path
 *
 * The file has an address a line, hexadecimal, in no order. What was executed before the first
 * instruction of sigma0 (the boot) is left out. The unmodified kernel is looked at: nothing is
 * compiled in, and a run costs little more than without.
 *
 * V1  One virtual processor; QEMU calls in one thread.
 * V2  A block counts as a whole when it is entered: the rest of one that faulted in the middle is
 *     counted, too. In the kernel a fault is a panic.
 */
#include "qemu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HASH = 1 << 14 };
#define KERNEL_HALF 0xffff800000000000UL
#define USER_FIRST 0x300000UL /* sigma0; the firmware is done when the kernel's half is used */

/* The instructions of a block that has been translated. */
struct block {
    struct block *next;
    size_t count;
    bool executed;
    uint64_t address[];
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct block *blocks[HASH];
static bool kernel_reached, user_reached;
static FILE *out;

static void executed(unsigned cpu, void *block)
{
    (void)cpu;
    kernel_reached = true;
    ((struct block *)block)->executed |= user_reached;
}

static void user_executed(unsigned cpu, void *unused)
{
    (void)cpu;
    (void)unused;
    user_reached = kernel_reached;
}

/* The record of a block; translated again, it keeps what is known. */
static struct block *block_of(const struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);
    uint64_t first = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    struct block **head = &blocks[(first ^ first >> 14) % HASH], *b = *head;

    while (b && (b->address[0] != first || b->count != n))
        b = b->next;
    if (b)
        return b;
    b = calloc(1, sizeof(*b) + n * sizeof(b->address[0]));
    if (!b)
        abort();
    b->count = n;
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
    if (first >= KERNEL_HALF)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, block_of(tb));
    else if (!user_reached && first >= USER_FIRST)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, user_executed, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void ended(qemu_plugin_id_t id, void *unused)
{
    (void)id;
    (void)unused;
    for (unsigned i = 0; i < HASH; i++)
        for (const struct block *b = blocks[i]; b; b = b->next)
            for (size_t k = 0; b->executed && k < b->count; k++)
                fprintf(out, "%lx\n", b->address[k]);
    fclose(out);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0) {
        qemu_plugin_outs("cover: one argument is needed, out=path\n");
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
