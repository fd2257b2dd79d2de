/*
 * roottask/modules.c - what the boot loader brought
 *
 * Modules 0 and 1 are the files of sigma0 and of this task, already unpacked elsewhere; the boot
 * script and programs follow. All of it is memory that sigma0 keeps for the root task.
 */
#include "root.h"

#include <l4/sys/err.h>

#include <string.h>

static const l4mod_info *table;

unsigned modules_count(void)
{
    return table->count;
}

struct module modules_get(unsigned i)
{
    struct module m = {
        .start = table->mods[i].start,
        .size = table->mods[i].size,
        .name = table->strings + table->mods[i].name,
        .args = table->strings + table->mods[i].args,
    };

    return m;
}

bool modules_find(const char *name, struct module *m)
{
    for (unsigned i = 0; i < modules_count(); i++) {
        *m = modules_get(i);
        if (strcmp(m->name, name) == 0)
            return true;
    }
    return false;
}

const char *modules_cmdline(void)
{
    return table->strings + table->cmdline;
}

l4_addr_t modules_table(void)
{
    return (l4_addr_t)table;
}

void modules_init(const l4_kernel_info_t *kip)
{
    table = (const l4mod_info *)kip->user_ptr;
    if (memory_request((l4_addr_t)table, L4MOD_INFO_SIZE) != 0 || table->magic != L4MOD_MAGIC ||
        table->count > L4MOD_MAX)
        fatal("no table of boot modules at 0x%lx", kip->user_ptr);
    for (unsigned i = 0; i < modules_count(); i++) {
        struct module m = modules_get(i);
        long err = memory_request(m.start, m.size);

        if (err)
            fatal("sigma0 does not give module %s at 0x%lx: %s (%ld)", m.name, m.start,
                  l4sys_errtostr(err), err);
    }
}
