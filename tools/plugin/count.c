/*
 * count.c - a QEMU plugin: what happens between two marks in the guest
 *
 * The marks are long no-operations that nobody else writes:
 *
 *     nopl 0x51420000+n(%rax)     0f 1f 80 disp32     region n begins (a pass)
 *     nopl 0x51450000+n(%rax)                         region n ends
 *
 * For each pass: instructions (those of the kernel apart), loads, stores, distinct 64-byte lines
 * of code and of data by physical address, and the longest stretch of kernel instructions with
 * interrupts off. Over all passes of a region: how often each instruction was executed, and its
 * bytes, which tell programs apart that lie at the same addresses.
 *
 *     -plugin file=count.so,out=path
 *
 * The file has a line for each pass, `pass region instructions kernel loads stores code data
 * stretch stretch_end`, and for each executed instruction of a region `at region address count
 * bytes`. Addresses and bytes are hexadecimal, the rest decimal.
 *
 * C1  One virtual processor; QEMU calls in one thread.
 * C2  What the CPU itself reads (page tables, descriptor tables) is not counted.
 */
#include "qemu.h"
#include "table.h"

#include <stdio.h>

enum { REGIONS = 64, LINE_SHIFT = 6, SITE_HASH = 1 << 16, BYTES_MAX = 15 };
enum { MARK_BEGIN = 0x5142, MARK_END = 0x5145 };
#define KERNEL_HALF 0xffff800000000000UL

/* An instruction that has been translated. */
struct site {
    struct site *next;
    uint64_t vaddr;
    uint64_t first_line, last_line; /* of its bytes, in the host's memory */
    uint16_t mark;                  /* MARK_BEGIN, MARK_END or 0 */
    uint16_t region;
    uint8_t size, bytes[BYTES_MAX];
    bool kernel;
    bool opens; /* interrupts are on after it, or user mode is reached */
    uint64_t count[REGIONS];
};

struct pass {
    uint64_t instructions, kernel, loads, stores;
    uint64_t stretch, longest, longest_end;
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct site *sites[SITE_HASH];
static unsigned active; /* region, or 0 */
static struct pass pass;
static struct table code, data;
static FILE *out;

static void pass_begin(unsigned region)
{
    active = region;
    pass = (struct pass){0};
    table_empty(&code);
    table_empty(&data);
}

static void pass_end(void)
{
    if (active)
        fprintf(out, "pass %u %lu %lu %lu %lu %lu %lu %lu %lx\n", active, pass.instructions,
                pass.kernel, pass.loads, pass.stores, code.used, data.used, pass.longest,
                pass.longest_end);
    active = 0;
}

static void stretch(const struct site *s)
{
    if (!s->kernel || s->opens) {
        pass.stretch = 0;
    } else if (++pass.stretch > pass.longest) {
        pass.longest = pass.stretch;
        pass.longest_end = s->vaddr;
    }
}

static void executed(unsigned cpu, void *data_of_site)
{
    struct site *s = data_of_site;

    (void)cpu;
    if (s->mark == MARK_BEGIN) {
        pass_begin(s->region);
    } else if (s->mark == MARK_END) {
        pass_end();
    } else if (active) {
        pass.instructions++;
        pass.kernel += s->kernel;
        s->count[active]++;
        table_add(&code, s->first_line);
        if (s->last_line != s->first_line)
            table_add(&code, s->last_line);
        stretch(s);
    }
}

static void accessed(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *unused)
{
    struct qemu_plugin_hwaddr *addr;

    (void)cpu;
    (void)unused;
    if (!active)
        return;
    if (qemu_plugin_mem_is_store(info))
        pass.stores++;
    else
        pass.loads++;
    addr = qemu_plugin_get_hwaddr(info, vaddr);
    if (addr && !qemu_plugin_hwaddr_is_io(addr))
        table_add(&data, qemu_plugin_hwaddr_phys_addr(addr) >> LINE_SHIFT);
}

/* sti, hlt, iretq, sysret */
static bool opens_interrupts(const uint8_t *b, size_t size)
{
    return (size == 1 && (b[0] == 0xfb || b[0] == 0xf4)) ||
           (size == 2 && b[0] == 0x48 && b[1] == 0xcf) ||
           (size == 3 && b[0] == 0x48 && b[1] == 0x0f && b[2] == 0x07);
}

static void read_mark(struct site *s, const uint8_t *b, size_t size)
{
    uint32_t word;

    s->mark = 0;
    if (size != 7 || b[0] != 0x0f || b[1] != 0x1f || b[2] != 0x80)
        return;
    memcpy(&word, b + 3, sizeof(word));
    if ((word >> 16 == MARK_BEGIN || word >> 16 == MARK_END) && (word & 0xffff) < REGIONS) {
        s->mark = (uint16_t)(word >> 16);
        s->region = (uint16_t)word;
    }
}

/* The record of an instruction; translated again, it keeps its counts. */
static struct site *site_of(const struct qemu_plugin_insn *insn)
{
    uint64_t vaddr = qemu_plugin_insn_vaddr(insn), host = (uint64_t)qemu_plugin_insn_haddr(insn);
    size_t size = qemu_plugin_insn_size(insn);
    const uint8_t *bytes = qemu_plugin_insn_data(insn);
    struct site **head = &sites[table_hash(vaddr) % SITE_HASH], *s = *head;

    while (s && (s->vaddr != vaddr || s->first_line != host >> LINE_SHIFT))
        s = s->next;
    if (!s) {
        s = calloc(1, sizeof(*s));
        if (!s)
            abort();
        s->next = *head;
        *head = s;
    }
    s->vaddr = vaddr;
    s->first_line = host >> LINE_SHIFT;
    s->last_line = (host + size - 1) >> LINE_SHIFT;
    s->size = (uint8_t)(size < BYTES_MAX ? size : BYTES_MAX);
    memcpy(s->bytes, bytes, s->size);
    s->kernel = vaddr >= KERNEL_HALF;
    s->opens = opens_interrupts(bytes, size);
    read_mark(s, bytes, size);
    return s;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

        qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, QEMU_PLUGIN_CB_NO_REGS,
                                               site_of(insn));
        qemu_plugin_register_vcpu_mem_cb(insn, accessed, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, NULL);
    }
}

static void print_site(const struct site *s, unsigned region)
{
    fprintf(out, "at %u %lx %lu ", region, s->vaddr, s->count[region]);
    for (unsigned i = 0; i < s->size; i++)
        fprintf(out, "%02x", s->bytes[i]);
    fputc('\n', out);
}

static void ended(qemu_plugin_id_t id, void *unused)
{
    (void)id;
    (void)unused;
    for (unsigned i = 0; i < SITE_HASH; i++)
        for (const struct site *s = sites[i]; s; s = s->next)
            for (unsigned r = 0; r < REGIONS; r++)
                if (s->count[r])
                    print_site(s, r);
    fclose(out);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0) {
        qemu_plugin_outs("count: one argument is needed, out=path\n");
        return -1;
    }
    out = fopen(argv[0] + 4, "w");
    if (!out) {
        qemu_plugin_outs("count: the output file cannot be written\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
