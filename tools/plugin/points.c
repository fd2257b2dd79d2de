/*
 * points.c - a QEMU plugin: which preemption points of the kernel were interrupted
 *
 * A preemption point is a call of sched_preempt(), which opens the interrupts for one instruction.
 *
 *     -plugin file=points.so,out=path,site=ADDRESS,...,taken=ADDRESS,end=ADDRESS
 *
 * site: a call; taken: what runs when the line's interrupt is taken; end: the instruction behind
 * which interrupts are off again. The file has a line for each site: address, calls, interrupts.
 *
 * N1  One virtual processor; QEMU calls in one thread.
 */
#include "qemu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SITES = 64 };

struct site {
    uint64_t address;
    unsigned long calls, interrupts;
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct site sites[SITES], *open_at; /* whose window is open */
static unsigned count;
static uint64_t taken, end;
static FILE *out;

static void called(unsigned cpu, void *site)
{
    (void)cpu;
    open_at = site;
    open_at->calls++;
}

static void interrupted(unsigned cpu, void *unused)
{
    (void)cpu;
    (void)unused;
    if (open_at)
        open_at->interrupts++;
}

static void closed(unsigned cpu, void *unused)
{
    (void)cpu;
    (void)unused;
    open_at = NULL;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t at = qemu_plugin_insn_vaddr(insn);

        for (unsigned s = 0; s < count; s++)
            if (at == sites[s].address)
                qemu_plugin_register_vcpu_insn_exec_cb(insn, called, QEMU_PLUGIN_CB_NO_REGS,
                                                       &sites[s]);
        if (at == taken)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, interrupted, QEMU_PLUGIN_CB_NO_REGS, NULL);
        if (at == end)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, closed, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
}

static void finished(qemu_plugin_id_t id, void *unused)
{
    (void)id;
    (void)unused;
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "%lx %lu %lu\n", sites[i].address, sites[i].calls, sites[i].interrupts);
    fclose(out);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        const char *value = strchr(argv[i], '=') + 1;

        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(value, "w");
        else if (strncmp(argv[i], "site=", 5) == 0 && count < SITES)
            sites[count++].address = strtoul(value, NULL, 16);
        else if (strncmp(argv[i], "taken=", 6) == 0)
            taken = strtoul(value, NULL, 16);
        else if (strncmp(argv[i], "end=", 4) == 0)
            end = strtoul(value, NULL, 16);
    }
    if (!out || !count || !taken || !end) {
        qemu_plugin_outs("points.so: out=, site=, taken=, end= are needed\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
