/*
 * sweep/firsts.c - the operations that are interrupted; they run in SOURCE
 */
#include "sweep.h"

#include "messages.h"

#define ALL L4_FP_ALL_SPACES
#define OTHERS L4_FP_OTHER_SPACES

static l4_umword_t give_to_dest(enum kind k, unsigned char rights, unsigned grant)
{
    return hand(S_DEST, false, CHILD_TASK, false, k, rights, grant);
}

static l4_umword_t map_pages(void)
{
    return give_to_dest(MEMORY, L4_FPAGE_RW, 0);
}

static l4_umword_t map_caps(void)
{
    return give_to_dest(CAPS, L4_CAP_FPAGE_RW, 0);
}

static l4_umword_t map_ports(void)
{
    return give_to_dest(PORTS, L4_FPAGE_RW, 0);
}

static l4_umword_t map_superpage(void)
{
    return give_to_dest(SUPER, L4_FPAGE_RW, 0);
}

static l4_umword_t map_part(void)
{
    return code(l4_task_map(S_DEST, CHILD_TASK, l4_fpage(AREA_SUPER, PAGES_ORDER, L4_FPAGE_RW),
                            l4_map_control(AREA_A, 0, 0)));
}

static l4_umword_t grant_pages(void)
{
    return give_to_dest(MEMORY, L4_FPAGE_RO, L4_MAP_ITEM_GRANT);
}

static l4_umword_t grant_superpage(void)
{
    return give_to_dest(SUPER, L4_FPAGE_RO, L4_MAP_ITEM_GRANT);
}

static l4_umword_t grant_caps(void)
{
    return give_to_dest(CAPS, L4_CAP_FPAGE_RO, L4_MAP_ITEM_GRANT);
}

static l4_umword_t grant_ports(void)
{
    return give_to_dest(PORTS, L4_FPAGE_RW, L4_MAP_ITEM_GRANT);
}

static l4_umword_t take(l4_fpage_t fp, l4_umword_t mask)
{
    return unmap_code(l4_task_unmap(CHILD_TASK, fp, mask));
}

static l4_umword_t unmap_others(void)
{
    return take(l4_fpage(AREA_A, PAGES_ORDER, L4_FPAGE_RWX), OTHERS);
}

static l4_umword_t unmap_all(void)
{
    return take(l4_fpage(AREA_A, PAGES_ORDER, L4_FPAGE_RWX), ALL);
}

static l4_umword_t lower(void)
{
    return take(l4_fpage(AREA_A, PAGES_ORDER, L4_FPAGE_W), ALL);
}

static l4_umword_t ask(void)
{
    return take(l4_fpage(AREA_A, PAGES_ORDER, 0), ALL);
}

static l4_umword_t unmap_batch(void)
{
    l4_fpage_t pages[4];

    for (unsigned i = 0; i < 4; i++)
        pages[i] = l4_fpage(AREA_A + (3 - i) * 2 * KIB4, 13, L4_FPAGE_RWX);
    return code(l4_task_unmap_batch(CHILD_TASK, pages, 4, ALL));
}

static l4_umword_t unmap_part_others(void)
{
    return take(l4_fpage(AREA_SUPER, PAGES_ORDER, L4_FPAGE_RWX), OTHERS);
}

static l4_umword_t unmap_part_all(void)
{
    return take(l4_fpage(AREA_SUPER, 12, L4_FPAGE_RWX), ALL);
}

static l4_umword_t lower_part(void)
{
    return take(l4_fpage(AREA_SUPER, 13, L4_FPAGE_W), ALL);
}

static l4_umword_t unmap_super(void)
{
    return take(l4_fpage(AREA_SUPER, L4_SUPERPAGESHIFT, L4_FPAGE_RWX), ALL);
}

static l4_umword_t unmap_caps(void)
{
    return code(l4_task_unmap(CHILD_TASK, fpage_of(CAPS, false, L4_CAP_FPAGE_RWSD), ALL));
}

static l4_umword_t lower_caps(void)
{
    return code(l4_task_unmap(CHILD_TASK, l4_obj_fpage(CAPS_A, ITEMS_ORDER, L4_CAP_FPAGE_W), ALL));
}

static l4_umword_t delete_caps(void)
{
    return code(l4_task_unmap(CHILD_TASK, fpage_of(CAPS, false, L4_CAP_FPAGE_RWSD),
                              L4_FP_DELETE_OBJ));
}

static l4_umword_t unmap_ports(void)
{
    return code(l4_task_unmap(CHILD_TASK, l4_iofpage(PORTS_A, ITEMS_ORDER), ALL));
}

static l4_umword_t map_block(void)
{
    return code(l4_task_map(S_DEST, CHILD_TASK, l4_iofpage(0, BLOCK_ORDER),
                            l4_map_control(0, 0, 0)));
}

static l4_umword_t add_ku_mem(void)
{
    l4_fpage_t area = l4_fpage(AREA_A, PAGES_ORDER, L4_FPAGE_RW);

    return code(l4_task_add_ku_mem(S_DEST, &area));
}

static l4_umword_t delete_dest(void)
{
    return code(l4_task_delete_obj(CHILD_TASK, S_DEST));
}

static l4_umword_t delete_third(void)
{
    return code(l4_task_delete_obj(CHILD_TASK, S_THIRD));
}

static l4_umword_t delete_partner(void)
{
    return code(l4_task_delete_obj(CHILD_TASK, S_PARTNER));
}

const struct first firsts[] = {
    {"pages are mapped", MEMORY, 0, prepare_plain, map_pages, NULL},
    {"pages are mapped over others", MEMORY, LEAVES_HOLES, prepare_over, map_pages, NULL},
    {"pages are granted with fewer rights", MEMORY, 0, prepare_plain, grant_pages, NULL},
    {"pages are granted over others", MEMORY, LEAVES_HOLES, prepare_over, grant_pages, NULL},
    {"a superpage is mapped", SUPER, 0, prepare_super, map_superpage, NULL},
    {"a part of a superpage is mapped", SUPER, 0, prepare_super, map_part, NULL},
    {"a superpage is granted with fewer rights", SUPER, 0, prepare_super, grant_superpage, NULL},
    {"pages are taken from others", MEMORY, 0, prepare_chain, unmap_others, NULL},
    {"pages are taken from all", MEMORY, 0, prepare_chain, unmap_all, NULL},
    {"flexpages are taken in a batch", MEMORY, ANY_ORDER, prepare_chain, unmap_batch, NULL},
    {"write access is taken", MEMORY, 0, prepare_chain, lower, NULL},
    {"pages are asked for accesses", MEMORY, 0, prepare_chain, ask, NULL},
    {"a part of a superpage is taken from others", SUPER, 0, prepare_super, unmap_part_others,
     NULL},
    {"a page of a superpage is taken from all", SUPER, 0, prepare_super, unmap_part_all, NULL},
    {"a part of a superpage loses write access", SUPER, 0, prepare_super, lower_part, NULL},
    {"a superpage is taken from all", SUPER, 0, prepare_super, unmap_super, NULL},
    {"a split superpage is taken from all", SUPER, 0, prepare_split, unmap_super, NULL},
    {"kernel-user memory is added", MEMORY, 0, prepare_plain, add_ku_mem, NULL},
    {"capabilities are mapped", CAPS, 0, prepare_plain, map_caps, NULL},
    {"capabilities are mapped over others", CAPS, LEAVES_HOLES, prepare_over, map_caps, NULL},
    {"capabilities are granted with fewer rights", CAPS, 0, prepare_plain, grant_caps, NULL},
    {"capabilities are taken from all", CAPS, 0, prepare_chain, unmap_caps, NULL},
    {"capabilities lose a right", CAPS, 0, prepare_chain, lower_caps, NULL},
    {"objects are deleted", CAPS, 0, prepare_chain, delete_caps, NULL},
    {"ports are mapped", PORTS, 0, prepare_plain, map_ports, NULL},
    {"ports are mapped over others", PORTS, LEAVES_HOLES, prepare_over, map_ports, NULL},
    {"ports are granted", PORTS, 0, prepare_plain, grant_ports, NULL},
    {"ports are taken from all", PORTS, 0, prepare_chain, unmap_ports, NULL},
    {"ports are taken out of a block", PORTS, 0, prepare_block, unmap_ports, NULL},
    {"a block of ports is mapped over single ones", PORTS, LEAVES_HOLES, prepare_block_over,
     map_block, NULL},
    {"pages are sent", MEMORY, 0, prepare_plain, send_items, receive},
    {"pages are sent over others", MEMORY, LEAVES_HOLES, prepare_over, send_items,
     receive},
    {"granted pages are sent in a call", MEMORY, 0, prepare_plain, call_granting,
     answer},
    {"capabilities are sent", CAPS, 0, prepare_plain, send_items, receive},
    {"ports are sent", PORTS, 0, prepare_plain, send_items, receive},
    {"pages are received", MEMORY, 0, prepare_sender, receive_items, send_to_first},
    {"a page fault is answered", MEMORY, LEAVES_HOLES, prepare_fault, fault, answer_fault},
    {"a task is destroyed", MEMORY, 0, prepare_chain, delete_dest, receive},
    {"a task with a superpage is destroyed", SUPER, 0, prepare_super, delete_third, NULL},
    {"a task with capabilities is destroyed", CAPS, 0, prepare_chain, delete_dest, NULL},
    {"a task with ports is destroyed", PORTS, 0, prepare_chain, delete_third, NULL},
    {"a thread is destroyed", MEMORY, 0, prepare_crowd, delete_partner, NULL},
    {"a thread that waits is destroyed", MEMORY, 0, prepare_crowd, delete_partner,
     receive},
};
const unsigned first_count = sizeof(firsts) / sizeof(firsts[0]);
