/*
 * sigma0/ram.h - who has which frame, and who may have how much
 *
 * Pure policy on top of the buddy allocator: no IPC, no system call. What touches the machine
 * (clearing, revoking) goes through the hooks at the end, which the host tests replace.
 *
 * Addresses are physical and, because sigma0 maps one to one, also virtual. Sizes are bytes,
 * orders are log2 of bytes. Functions return 0 or -L4_E...
 */
#pragma once

#include <abi/types.h>
#include <common/buddy.h>

#include <stdbool.h>

enum {
    RAM_CLIENTS_MAX = 256, /* accounts; an index is also the label of its gate (>> 4) */
    RAM_DEVICES_MAX = 64,  /* flexpages of device memory that are given out */
    RAM_ROOT = 1,          /* the first client: the root task */
    RAM_ORDER_MAX = 47,    /* no flexpage of user memory is larger */
};

/* Device memory is what the memory descriptors do not mention, below this address. */
#define RAM_DEVICE_END (1UL << 32)

/* Owner of a frame. Everything between is the number of a client. */
enum {
    RAM_FREE = 0,           /* in the buddy */
    RAM_DEDICATED = 0xfffd, /* images and modules: the root task's, outside its quota */
    RAM_SYSTEM = 0xfffe,    /* the kernel's or sigma0's: nobody's */
    RAM_ABSENT = 0xffff,    /* no RAM */
};

struct ram_client {
    bool live;
    l4_uint16_t parent;
    l4_umword_t quota; /* bytes that it may use or pass on */
    l4_umword_t used;  /* bytes of frames, plus the quotas of its children */
};

struct ram_device {
    l4_addr_t start;
    l4_addr_t end;
    l4_uint16_t client;
};

struct ram {
    struct buddy *buddy;
    l4_uint16_t *owner; /* one for each frame from address 0 on */
    l4_umword_t frames; /* length of owner */
    l4_umword_t total_frames;   /* frames that were ever free */
    l4_umword_t free_frames;
    l4_umword_t cleared_frames; /* ever */
    unsigned device_count;
    struct ram_client clients[RAM_CLIENTS_MAX];
    struct ram_device devices[RAM_DEVICES_MAX];
};

/*
 * An empty machine: `frames` frames, none of them RAM. `owner` has room for one word each; the
 * buddy is initialised and empty.
 */
void ram_init(struct ram *r, struct buddy *buddy, l4_uint16_t *owner, l4_umword_t frames);
/* [start, end) of whole pages becomes free RAM. Only before the first request. */
void ram_add(struct ram *r, l4_addr_t start, l4_addr_t end);
/* What is free in [start, end) is nobody's from now on. Before the first request. */
void ram_withdraw(struct ram *r, l4_addr_t start, l4_addr_t end);
/* [start, end), not free RAM, becomes RAM_DEDICATED or RAM_SYSTEM. Cut to the known frames. */
void ram_mark(struct ram *r, l4_addr_t start, l4_addr_t end, l4_uint16_t owner);
/* The last step of the start: all free RAM is the root client's quota. */
void ram_open(struct ram *r);

/*
 * This flexpage of RAM for `client`; pages that it has already are kept as they are. All or
 * nothing. -L4_ENOMEM: somebody else's, no RAM, or above the quota.
 */
int ram_claim(struct ram *r, unsigned client, l4_addr_t start, unsigned order);
/* Any block. -L4_ENOMEM: none, or above the quota. */
int ram_alloc(struct ram *r, unsigned client, unsigned order, l4_addr_t *start);
/*
 * Take a block back from its client and from everybody who got it from there.
 * -L4_EINVAL misaligned, -L4_EPERM not all of it is the client's (dedicated memory never is).
 */
int ram_free(struct ram *r, unsigned client, l4_addr_t start, unsigned order);
/* Device memory. -L4_ENOMEM: part of it is RAM, another client's, or too many are given out. */
int ram_claim_device(struct ram *r, unsigned client, l4_addr_t start, unsigned order);

/* A new account paid for by `parent`. -L4_ENOMEM: above the parent's quota, or no record left. */
int ram_client_create(struct ram *r, unsigned parent, l4_umword_t quota, unsigned *client);
/*
 * Close an account and all below it; their memory is free afterwards, the quota the parent's.
 * ram_gone() is called for each. -L4_EPERM: the root client.
 */
int ram_client_release(struct ram *r, unsigned client);

/* Walks everything; for assertions and tests only. */
bool ram_ok(const struct ram *r);

/* Hooks: sigma0/main.c has the real ones. */
void ram_clear(l4_addr_t start, l4_umword_t size);    /* fill with zero bytes */
void ram_revoke(l4_addr_t start, unsigned order);     /* unmap from every other task */
void ram_revoke_device(l4_addr_t start, l4_addr_t end);
void ram_gone(unsigned client);                       /* the account's gate has to go */
void ram_bug(const char *what) __attribute__((noreturn));
