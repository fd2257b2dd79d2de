/*
 * hostile_programs/bad_pager/main.c - a dataspace manager that faults where it should find a page
 */
#include <l4/pager.h>

#include <string.h>

static char objects[4][L4_PAGESIZE] __attribute__((aligned(L4_PAGESIZE)));
static unsigned objects_used;

static void *bad_new_page(void)
{
    return objects_used < 4 ? objects[objects_used++] : NULL;
}

static long bad_open(struct dataspace *ds, const struct ds_request *request)
{
    if (!request->name || strcmp(request->name, "bad") != 0)
        return -L4_ENOENT;
    ds->size = L4_PAGESIZE;
    ds->rights = L4RE_DS_F_R;
    return 0;
}

static long bad_map(struct dataspace *ds, l4_umword_t offset, struct ds_page *page)
{
    (void)ds;
    (void)page;
    *(volatile l4_umword_t *)(offset + 0x10) = 1;
    return 0;
}

static const struct manager bad = {
    .name = "bad",
    .ds_size = sizeof(struct dataspace),
    .gate_rights = L4_CAP_FPAGE_RD,
    .open = bad_open,
    .map = bad_map,
    .new_page = bad_new_page,
};

int main(void)
{
    return manager_run(&bad);
}
