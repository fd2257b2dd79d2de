/*
 * ram.c - inside anon: all contact with sigma0 and the kernel; frames, from there and back
 *
 * Frames come in chunks, 1:1: what we see at address a is the frame at a.
 */
#include "anon.h"

#include <abi/env.h>
#include <abi/sigma0.h>
#include <l4/re/c/stats.h>
#include <l4/sigma0/sigma0.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>

/* Orders in which we ask sigma0 for memory. The first is a superpage: sigma0 enters one mapping
 * for 512 frames. The others use up what is left of a small account. */
static const unsigned char chunk_orders[] = {CHUNK_SHIFT, 16, L4_PAGESHIFT};

/* Whole free chunks that are kept when frames come back; the others go to sigma0. */
enum { CHUNKS_KEPT = 8 };

static l4_umword_t given_before; /* bytes that this image itself lies in */

struct frame_pool anon_pool;
l4_umword_t sigma0_requests;
l4_umword_t object_frames;

bool ram_chunk(unsigned order)
{
    l4_addr_t base;

    sigma0_requests++;
    if (l4sigma0_map_anypage(QUIRE_SIGMA0_CAP, 0, L4_WHOLE_ADDRESS_SPACE, &base, order) != 0)
        return false;
    return frames_add(&anon_pool, base, 1UL << (order - L4_PAGESHIFT));
}

static bool any_chunk(void)
{
    for (unsigned i = 0; i < sizeof(chunk_orders); i++)
        if (ram_chunk(chunk_orders[i]))
            return true;
    return false;
}

bool ram_grow(l4_umword_t n)
{
    while (!ram_at_hand(NULL, n))
        if (!any_chunk())
            return false;
    return true;
}

bool ram_refill(l4_umword_t n)
{
    return ram_grow(n) || (manager_gc() && ram_grow(n));
}

/* sigma0 has use for what we have none for. It takes the chunk away from us, too. */
void ram_shrink(void)
{
    l4_utcb_t *utcb = l4_utcb();

    while (anon_pool.whole_chunks > CHUNKS_KEPT && ram_at_hand(NULL, BLOCK)) {
        l4_addr_t chunk = frames_remove_chunk(&anon_pool);

        sigma0_requests++;
        utcb->msg.mr[0] = SIGMA0_RAM_FREE;
        utcb->msg.mr[1] = l4_fpage(chunk, CHUNK_SHIFT, L4_FPAGE_RWX).raw;
        l4_ipc_call(QUIRE_SIGMA0_CAP, utcb, l4_msgtag(L4RE_PROTO_MEM_ALLOC, 2, 0, 0),
                    L4_IPC_NEVER);
    }
}

static l4_umword_t account_used(void)
{
    l4_umword_t words[5];
    long n = l4re_stats_get(QUIRE_SIGMA0_CAP, L4RE_STATS_GET_OP, 0, words, 5);

    return n >= 5 ? words[4] : 0;
}

l4_umword_t ram_given(void)
{
    return account_used() - given_before;
}

long ram_unmap(const l4_fpage_t *fpages, unsigned n)
{
    long err = l4_error(l4_task_unmap_batch(L4_BASE_TASK_CAP, fpages, n, L4_FP_OTHER_SPACES));

    return err < 0 ? err : 0;
}

int main(void)
{
    given_before = account_used();
    return manager_run(&anon_manager);
}
